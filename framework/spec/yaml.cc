#include "framework/spec/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <istream>
#include <streambuf>
#include <string>
#include <utility>

#include "framework/core/suggest.h"
#include "framework/spec/bytes.h"
#include "framework/spec/line_index.h"
#include "framework/spec/value_builder.h"

namespace sluice {
namespace {

// An istream's view of text that lies elsewhere.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* const begin = const_cast<char*>(text.data());  // a get area is never written to
    setg(begin, begin, begin + text.size());
  }
};

// The quoted scalar at the start of `text` (behind its anchor and tag) ends in it. yaml-cpp takes the end of
// the text for a missing quote when a line end stands before it. Other scalars: true.
bool is_closed(std::string_view text) {
  while (text.starts_with('&') || text.starts_with('!')) {
    text.remove_prefix(std::min(text.size(), text.find_first_of(" \t\r\n")));
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t\r\n")));
  }
  if (!text.starts_with('"') && !text.starts_with('\'')) return true;
  const char quote = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool escapes = quote == '"' ? text[i] == '\\' : text.substr(i).starts_with("''");
    if (escapes) {
      ++i;
    } else if (text[i] == quote) {
      return true;
    }
  }
  return false;
}

// Hands yaml-cpp's events to the builder, with places counted our way.
class Events final : public YAML::EventHandler {
 public:
  Events(std::string_view text, const LineIndex& lines, ValueBuilder& builder)
      : text_(text), lines_(lines), builder_(builder) {}

  // Places of yaml-cpp count lines and bytes from 0.
  std::size_t offset(const YAML::Mark& mark) const { return lines_.offset_of(mark.line, mark.column); }
  Mark place(const YAML::Mark& mark) const { return lines_.mark_at(offset(mark)); }

  // Where a syntax error is, and what may help. At the end of the text yaml-cpp has lost the column.
  Issue syntax_error(const YAML::Exception& error) const {
    const std::size_t at = offset(error.mark);
    const std::size_t line_end = text_.find('\n', at);
    const bool at_end = error.mark.column == 0 && line_end == std::string_view::npos;
    const std::size_t line_start = lines_.offset_of(error.mark.line, 0);
    const std::string_view line = text_.substr(line_start, line_end - line_start);
    Issue issue{lines_.mark_at(at_end ? text_.size() : at), "not valid YAML: " + error.msg};
    if (line.find("${") != std::string_view::npos)
      issue.message +=
          "; inside [...] and {...} '${...}' must stand in quotes, which make it a text: for a number write "
          "the list or map one entry per line";
    return issue;
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 0) return;
    const bool marked = text_.substr(offset(mark)).starts_with("---");
    builder_.issue(place(mark), marked ? "a second document starts here, allowed: one"
                                       : "text after the end of the document, allowed: one document");
    throw StopReading{};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    builder_.nothing(builder_.in_list() ? lines_.mark_at(item_offset(offset(mark))) : place(mark), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const std::string_view rest = text_.substr(offset(mark));
    builder_.alias(place(mark), rest.substr(0, rest.find_first_of(" \t\r\n,[]{}")), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (!is_closed(text_.substr(offset(mark)))) {
      builder_.issue(place(mark), "not valid YAML: the quote that opens here is never closed");
      throw StopReading{};
    }
    if (value.find('\0') != std::string::npos)
      builder_.issue(place(mark), "a NUL character, which no text of a pipeline file may contain");
    const bool text = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!text) refuse_tag(mark, tag);
    builder_.scalar(place(mark), value, !text, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    builder_.begin_list(place(mark), anchor);
  }
  void OnSequenceEnd() override { builder_.end(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    builder_.begin_map(place(mark), anchor);
  }
  void OnMapEnd() override { builder_.end(); }

 private:
  // Where a null item of a list stands: `at` when it is written there, else its dash, since yaml-cpp gives
  // the place of whatever follows it.
  std::size_t item_offset(std::size_t at) const {
    if (at < text_.size() && std::string_view("~nN,]").find(text_[at]) != std::string_view::npos) return at;
    for (std::size_t end = at; end > 0;) {
      const std::size_t begin = text_.rfind('\n', end - 1) + 1;  // npos + 1: the first line
      const std::string_view line = text_.substr(begin, end - begin);
      const std::size_t first = line.find_first_not_of(" \t\r");
      const bool empty = first == std::string_view::npos || line[first] == '#';
      const std::size_t dash = line.find_last_of('-', std::min(line.find(" #"), line.size()));
      if (!empty) return dash == std::string_view::npos ? at : begin + dash;
      end = begin > 0 ? begin - 1 : 0;
    }
    return at;
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    builder_.issue(place(mark),
                   "the tag " + in_quotes(tag) + " is not allowed; only '!!str' has a meaning here");
  }

  std::string_view text_;
  const LineIndex& lines_;
  ValueBuilder& builder_;
  int documents_ = 0;
};

void parse(std::string_view text, Events& events, ValueBuilder& builder) {
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(events)) {
    }
  } catch (const StopReading&) {
    return;  // its issue is noted
  } catch (const YAML::Exception& error) {
    Issue issue = events.syntax_error(error);
    builder.issue(issue.mark, std::move(issue.message));
  } catch (const std::bad_alloc&) {
    throw;  // not the file's fault
  } catch (const std::exception& error) {
    builder.issue({1, 1}, std::string("the YAML parser gave up: ") + error.what());
  }
}

}  // namespace

YamlResult read_yaml(std::string_view text, Environment environment) {
  YamlResult result;
  if (auto issue = check_bytes(text)) {
    result.issues.push_back(*std::move(issue));
    return result;
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const LineIndex lines(text);
  ValueBuilder builder(environment, result.issues);
  Events events(text, lines, builder);
  parse(text, events, builder);
  result.value = builder.take();
  return result;
}

}  // namespace sluice
