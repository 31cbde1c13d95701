#include "framework/spec/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

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
      issue.message += "; inside [...] and {...} put '${...}' in quotes";
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
    builder_.nothing(place(mark), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const std::string_view rest = text_.substr(offset(mark));
    builder_.alias(place(mark), rest.substr(0, rest.find_first_of(" \t\r\n,[]{}")), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
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
