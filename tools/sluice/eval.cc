// sluice eval
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/results.h"
#include "runtime/builtin.h"
#include "runtime/logging.h"
#include "runtime/pipeline.h"
#include "tools/sluice/accuracy.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/eval_pipeline.h"
#include "tools/sluice/interrupts.h"
#include "tools/sluice/labels.h"
#include "tools/sluice/output.h"
#include "tools/sluice/picture_folder.h"

namespace sluice::cli {
namespace {

// As json_sink writes it: a class without a name is called by its number.
std::string label_of(const std::vector<std::string>* labels, int index) {
  const bool named = labels && index >= 0 && static_cast<std::size_t>(index) < labels->size();
  return named ? (*labels)[static_cast<std::size_t>(index)] : std::to_string(index);
}

// Only one kind of object is marked: whatever the pipeline calls it, it is that one.
bool one_kind(const LabelSet& labels) {
  for (const LabelledPicture& picture : labels.pictures) {
    for (const LabelledBox& box : picture.boxes) {
      if (!box.label.empty()) return false;
    }
  }
  return true;
}

void note(const Packet& packet, bool with_labels, Answer& answer) {
  answer.answered = true;
  if (const Detections* const found = packet.get<Detections>()) {
    for (const Detection& d : *found) {
      answer.boxes.push_back(
          {d.x, d.y, d.width, d.height, d.score, with_labels ? label_of(found->labels, d.label) : ""});
    }
  }
  const Classes* const classes = packet.get<Classes>();
  if (classes && classes->count > 0) answer.label = label_of(classes->labels, classes->items[0].index);
}

Result<std::vector<Answer>> run(Pipeline& pipeline, const LabelSet& labels, Interrupts& interrupts) {
  std::vector<Answer> answers(labels.pictures.size());
  std::mutex mutex;
  const bool with_labels = !one_kind(labels);
  SLUICE_RETURN_IF_ERROR(pipeline.app_sink(kEvalSink).on_packet([&](const Packet& packet) {
    const std::lock_guard lock(mutex);
    const std::uint64_t number = packet.frame().number;
    if (number < answers.size()) note(packet, with_labels, answers[number]);
  }));
  SLUICE_RETURN_IF_ERROR(pipeline.start());
  interrupts.on_first([&pipeline] { pipeline.stop(); });
  const Status status = pipeline.wait();
  interrupts.on_first(nullptr);
  if (interrupts.interrupted()) return cancelled("interrupted before all pictures were seen");
  SLUICE_RETURN_IF_ERROR(status);
  return answers;
}

std::string shown(std::optional<double> value) { return value ? fmt::format("{:.4f}", *value) : "unknown"; }

std::string text_of(const Accuracy& a, double iou) {
  std::string out = fmt::format("{} pictures, {} without an answer\n", a.pictures, a.unanswered);
  if (a.classes) return out + fmt::format("top-1 {} ({} right)\n", shown(a.top1()), a.right);
  return out +
         fmt::format("recall {} ({} of {} marked boxes at IoU {})\nprecision {} ({} of {} found boxes){}\n",
                     shown(a.recall()), a.matched, a.marked, iou, shown(a.precision()), a.matched, a.found,
                     a.labels_compared ? "" : "; labels were not compared");
}

std::string json_of(const Accuracy& a, double iou) {
  using Json = nlohmann::ordered_json;
  const auto number = [](std::optional<double> v) {
    return v ? Json(std::round(*v * 1e6) / 1e6) : Json(nullptr);
  };
  const Json out = {{"version", 1},
                    {"pictures", a.pictures},
                    {"unanswered", a.unanswered},
                    {"iou", iou},
                    {"marked", a.marked},
                    {"found", a.found},
                    {"matched", a.matched},
                    {"recall", a.classes ? Json(nullptr) : number(a.recall())},
                    {"precision", a.classes ? Json(nullptr) : number(a.precision())},
                    {"top1", number(a.top1())}};
  return out.dump(2) + "\n";
}

// A threshold on something unknown is missed.
bool missed(const char* what, std::optional<double> value, std::optional<double> least) {
  if (!least || (value && *value >= *least)) return false;
  print_error(fmt::format("{} is {}, demanded: at least {}", what, shown(value), *least));
  return true;
}

Exit fail(const Status& status) {
  print_error(status.message());
  return status.code() == Code::kCancelled ? kDone : exit_code_of(status);
}

std::vector<std::string> paths_of(const LabelSet& labels) {
  std::vector<std::string> out;
  out.reserve(labels.pictures.size());
  for (const LabelledPicture& picture : labels.pictures) out.push_back(picture.path);
  return out;
}

// The exit code instead of a pipeline when there is none.
std::optional<Pipeline> load(const EvalArguments& arguments, bool classes, const std::string& folder,
                             Exit& code) {
  const ParsedSpec parsed = parse_spec_file(arguments.file);
  LoadIssues issues{arguments.file, parsed.issues};
  code = print_issues(issues);
  if (code != kDone) return std::nullopt;
  const Registry registry = builtin_registry();
  const Result<GraphSpec> spec = make_eval_pipeline(parsed.spec, registry, classes, folder);
  if (!spec.ok()) {
    code = fail(spec.status().with_context(arguments.file + ": "));
    return std::nullopt;
  }
  std::vector<std::string> notes;
  auto set = settings_for_eval(arguments.set, parsed.spec, *spec, notes);
  if (!set.ok()) {
    code = fail(set.status());
    return std::nullopt;
  }
  for (const std::string& note : notes) print_note(note);
  issues.issues.clear();
  LoadOptions options;
  options.set = std::move(*set);
  auto pipeline = Pipeline::load(*spec, registry, options, issues);
  code = print_issues(issues);
  return pipeline;
}

}  // namespace

int execute(const EvalArguments& arguments) {
  Interrupts interrupts;
  const Result<LabelSet> labels = read_labels(arguments.labels);
  if (!labels.ok()) return fail(labels.status());
  const std::vector<std::string> paths = paths_of(*labels);
  const Result<TemporaryFolder> folder = make_picture_folder(paths);
  if (!folder.ok()) return fail(folder.status());
  LoggingOptions log;
  log.level = LogLevel::kWarning;
  log.rewrite = [&](std::string_view message) { return with_own_names(message, folder->path(), paths); };
  const auto logging = Logging::start(log);
  Exit code = kDone;
  auto pipeline = load(arguments, labels->classes, folder->path(), code);
  if (code != kDone) return code;
  const auto answers = run(*pipeline, *labels, interrupts);
  if (!answers.ok()) return fail(answers.status());
  const Accuracy accuracy = measure(*labels, *answers, arguments.iou);
  code = print_result(arguments.json ? json_of(accuracy, arguments.iou) : text_of(accuracy, arguments.iou));
  const bool recall = missed("recall", accuracy.recall(), arguments.min_recall);
  const bool precision = missed("precision", accuracy.precision(), arguments.min_precision);
  if (code != kDone) return code;
  return recall || precision ? kMissed : kDone;
}

}  // namespace sluice::cli
