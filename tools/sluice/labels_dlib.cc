#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>

#include "framework/core/suggest.h"
#include "tools/sluice/labels.h"

namespace sluice::cli {
namespace {

// A start tag's name and attributes, as far as dlib's imglab writes them: quoted values, the five named
// entities.
class Tag {
 public:
  explicit Tag(std::string_view inside) : inside_(inside) {}
  bool ends(std::string_view element) const {
    return inside_.starts_with('/') && Tag(inside_.substr(1)).name() == element;
  }
  bool closes_itself() const { return inside_.ends_with('/'); }
  std::string_view name() const { return inside_.substr(0, inside_.find_first_of(" \t\r\n/")); }

  std::optional<std::string> attribute(std::string_view wanted) const {
    std::size_t at = name().size();
    while (at < inside_.size()) {
      const std::size_t start = inside_.find_first_not_of(" \t\r\n", at);
      const std::size_t equals = inside_.find('=', at);
      if (start == std::string_view::npos || equals == std::string_view::npos || equals + 1 >= inside_.size())
        return std::nullopt;
      const char quote = inside_[equals + 1];
      const std::size_t end = inside_.find(quote, equals + 2);
      if ((quote != '"' && quote != '\'') || end == std::string_view::npos) return std::nullopt;
      if (inside_.substr(start, equals - start) == wanted)
        return unescaped(inside_.substr(equals + 2, end - equals - 2));
      at = end + 1;
    }
    return std::nullopt;
  }

  std::optional<double> number(std::string_view wanted) const {
    const auto text = attribute(wanted);
    double value = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{} ||
        !std::isfinite(value))
      return std::nullopt;
    return value;
  }

 private:
  static std::string unescaped(std::string_view text) {
    constexpr std::pair<std::string_view, char> kEntities[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    std::string out;
    while (!text.empty()) {
      std::size_t used = 1;
      char c = text[0];
      for (const auto& [entity, plain] : kEntities) {
        if (!text.starts_with(entity)) continue;
        c = plain;
        used = entity.size();
      }
      out += c;
      text.remove_prefix(used);
    }
    return out;
  }

  std::string_view inside_;
};

class DlibReader {
 public:
  explicit DlibReader(const std::string& folder) : folder_(folder) {}

  Status tag(const Tag& tag) {
    if (tag.ends("image") || tag.ends("images")) {
      if (tag.ends("images") && in_image_) return unclosed();
      in_image_ = false;
    } else if (tag.name() == "image") {
      const auto file = tag.attribute("file");
      if (!file) return invalid("an <image> without 'file'");
      if (in_image_) return unclosed();
      in_image_ = !tag.closes_itself();
      out.pictures.push_back({(std::filesystem::path(folder_) / *file).string(), {}, {}});
    } else if (tag.name() == "box") {
      if (!in_image_) return invalid("a <box> outside an <image>");
      const auto left = tag.number("left"), top = tag.number("top"), width = tag.number("width"),
                 height = tag.number("height");
      if (!left || !top || !width || !height)
        return invalid("a <box> lacks 'left', 'top', 'width' or 'height'");
      if (*width < 0 || *height < 0)
        return invalid(fmt::format("a <box> is {} wide and {} high, allowed: from 0 on", *width, *height));
      out.pictures.back().boxes.push_back({*left, *top, *width, *height, {}, tag.attribute("ignore") == "1"});
    }
    return {};
  }

  // <label> holds its text between its tags.
  void label(std::string_view text) {
    if (!out.pictures.empty() && !out.pictures.back().boxes.empty())
      out.pictures.back().boxes.back().label = text;
  }

  LabelSet out;

 private:
  Status unclosed() const {
    return invalid("the <image> of '" + out.pictures.back().path + "' is not closed before; add </image>");
  }

  std::string folder_;
  bool in_image_ = false;  // between <image> and </image>
};

}  // namespace

Result<LabelSet> parse_dlib(std::string_view text, const std::string& folder) {
  DlibReader reader(folder);
  bool dataset = false, whole = false;
  for (std::size_t open = text.find('<'); open != std::string_view::npos; open = text.find('<', open)) {
    const bool comment = text.substr(open).starts_with("<!--");
    const std::string_view close = comment ? "-->" : ">";
    const std::size_t end = text.find(close, open);
    if (end == std::string_view::npos) return invalid("no dlib dataset: a tag is not closed");
    const std::string_view inside = text.substr(open + 1, end - open - 1);
    const Tag tag(inside);
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(open), '\n');
    open = end + close.size();
    if (comment) continue;
    whole = inside.starts_with("/dataset");
    dataset = dataset || tag.name() == "dataset";
    SLUICE_RETURN_IF_ERROR(reader.tag(tag).with_context(fmt::format("line {}: ", line)));
    if (tag.name() == "label") reader.label(text.substr(open, text.find('<', open) - open));
  }
  if (!dataset) return invalid("no dlib dataset: there is no <dataset>");
  if (!whole)
    return invalid("no dlib dataset: there is no </dataset> at its end; the file is cut off, copy it again");
  return std::move(reader.out);
}

}  // namespace sluice::cli
