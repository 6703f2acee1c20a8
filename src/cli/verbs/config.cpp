// sxbench config: what a run would start from, with the origin of every value; what is shipped.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/files.h"
#include "base/json.h"
#include "cli/request/request.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"
#include "config/settings/settings.h"

namespace sxb::cli {
namespace {

std::string describe_origin(const config::Origin& origin) {
  const std::string layer = config::to_string(origin.layer);
  return origin.from.empty() ? layer : fmt::format("{} {}", layer, origin.from);
}

/// One line per value: its JSON pointer, the value, where it comes from.
void print_table(const Json& values, const config::Resolved& settings) {
  struct Row {
    std::string pointer, value, origin;
  };
  std::vector<Row> rows;
  std::size_t pointer_width = 0;
  std::size_t value_width = 0;
  for (const std::string& pointer : config::leaf_pointers(values)) {
    const auto origin = settings.origins.find(pointer);
    rows.push_back({pointer, dump(values.at(Json::json_pointer(pointer))),
                    origin == settings.origins.end() ? "" : describe_origin(origin->second)});
    pointer_width = std::max(pointer_width, pointer.size());
    // One long description must not push all origins off the screen.
    if (rows.back().value.size() <= 40) value_width = std::max(value_width, rows.back().value.size());
  }
  for (const Row& row : rows) {
    print_out("{:<{}}  {:<{}}  {}\n", row.pointer, pointer_width, row.value, value_width, row.origin);
  }
}

ExitCode show(const config::CommandLine& said, bool as_json) {
  const auto settings = config::resolve_settings(said);
  if (!settings.ok()) return report_errors(settings.errors());
  warn(settings->warnings);
  const Json values = to_json(*settings);
  if (!as_json) {
    print_table(values, *settings);
    return ExitCode::kOk;
  }
  Json origins = Json::object();
  for (const auto& [pointer, origin] : settings->origins) {
    origins[pointer] = {{"layer", to_string(origin.layer)}, {"from", origin.from}};
  }
  write_out(pretty_json({{"values", values}, {"origins", origins}}));
  return ExitCode::kOk;
}

/// Words with commas between them, in lines of a terminal's width.
std::string wrapped(const std::vector<std::string>& words) {
  constexpr std::size_t kWidth = 100;
  std::string text;
  std::size_t column = std::string("Environment:").size();
  for (const std::string& word : words) {
    if (!text.empty()) text += ',';
    if (column + word.size() + 2 > kWidth) {
      text += "\n ";
      column = 1;
    }
    text += " " + word;
    column += word.size() + 2;
  }
  return text;
}

/// Descriptions of one folder of shipped configs, as the files have them.
ExitCode list_folder(const char* title, const char* folder, const std::vector<std::string>& names) {
  print_out("{}\n", title);
  for (const std::string& name : names) {
    const auto json = load_json(shipped_configs_dir() / folder / (name + ".json"));
    if (!json.ok()) return report_errors(json.errors());
    print_out("  {:<20}  {}\n", name, json->value("description", ""));
  }
  return ExitCode::kOk;
}

ExitCode list() {
  const ExitCode clusters = list_folder("clusters (--cluster)", "clusters", config::shipped_clusters());
  if (clusters != ExitCode::kOk) return clusters;
  return list_folder("models (--models)", "models", config::shipped_models());
}

}  // namespace

void add_config(CLI::App& app, ExitCode& result) {
  CLI::App* verb = app.add_subcommand("config", "Show the merged configuration, list what is shipped");
  verb->footer("Examples:\n  sxbench config show --models 7b\n  sxbench config list");
  verb->require_subcommand(1);

  CLI::App* show_verb = verb->add_subcommand("show", "Print every value of a run and where it comes from");
  show_verb->footer(fmt::format(
      "A flag wins over the environment, that over a file, that over the default.\n"
      "Environment:{}; SXBENCH_CACHE and SXBENCH_CONFIGS move folders.\n"
      "Examples:\n"
      "  sxbench config show\n"
      "  sxbench config show --cluster h200x4-as-4-nodes --models 7b --set training.micro_batch=4 --json",
      wrapped(config::variables())));
  auto said = std::make_shared<config::CommandLine>();
  auto as_json = std::make_shared<bool>(false);
  add_node_flags(*show_verb, *said);
  add_selector(*show_verb, config::kModelsFlag, *said);
  add_key_flags(*show_verb, config::Document::kModel, *said);
  add_set_flag(*show_verb, *said);
  show_verb->add_flag("--json", *as_json, "One JSON object: values, and origins by JSON pointer");
  show_verb->callback([said, as_json, &result] { result = show(*said, *as_json); });

  CLI::App* list_verb = verb->add_subcommand("list", "List the shipped clusters and models");
  list_verb->callback([&result] { result = list(); });
}

}  // namespace sxb::cli
