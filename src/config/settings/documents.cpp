#include "config/settings/documents.h"

#include <fmt/format.h>

#include "config/cluster/cluster_settings.h"
#include "config/model/model_settings.h"

namespace sxb::config {
namespace {

std::string code(const char* text) { return text != nullptr ? fmt::format("`{}`", text) : ""; }

std::string flags_row(const char* flag, const char* variable, const std::string& key, const std::string& what,
                      const std::string& otherwise) {
  return fmt::format("| {} | {} | {} | {} | {} |\n", code(flag), code(variable), key, what, otherwise);
}

std::string flags_table() {
  std::string table = "| flag | environment | key | what | default |\n|---|---|---|---|---|\n";
  for (const Selector* selector :
       {&kClusterFlag, &kHostfileFlag, &kModelsFlag, &kExcludeFlag, &kSparesFlag}) {
    table += flags_row(selector->flag, selector->variable, "", selector->help, selector->otherwise);
  }
  for (const auto& [document, name] :
       {std::pair(Document::kRun, "run"), std::pair(Document::kCluster, "cluster"),
        std::pair(Document::kModel, "model")}) {
    for (const RowInfo& row : rows_with_flags(document)) {
      const std::string key = document == Document::kRun ? "" : fmt::format("{} `{}`", name, row.key);
      table += flags_row(row.extra.flag, row.extra.variable, key, row.help,
                         row.extra.need == Need::kRequired ? "required in the file" : default_text(row));
    }
  }
  return table;
}

std::string table_of(const std::string& name) {
  if (name == "cluster") return markdown_table(cluster_settings());
  if (name == "model") return markdown_table(model_settings());
  if (name == "flags") return flags_table();
  panic(__FILE__, __LINE__, "no table of settings has this name");
}

}  // namespace

std::string schema_document(Document document) {
  const bool model = document == Document::kModel;
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", model ? "sxbench model" : "sxbench cluster"}};
  schema.update(model ? model_settings().schema() : cluster_settings().schema());
  return pretty_json(schema);
}

std::string with_settings_tables(const std::string& page) {
  const std::string begin = "<!-- settings:", end = "<!-- /settings -->", close = " -->";
  std::string out;
  std::size_t from = 0;
  for (std::size_t at; (at = page.find(begin, from)) != std::string::npos;) {
    const std::size_t name_at = at + begin.size();
    const std::size_t name_end = page.find(close, name_at);
    const std::size_t end_at = page.find(end, name_at);
    if (name_end == std::string::npos || end_at == std::string::npos) break;
    out += page.substr(from, name_end + close.size() - from);
    out += "\n" + table_of(page.substr(name_at, name_end - name_at));
    from = end_at;
  }
  return out + page.substr(from);
}

}  // namespace sxb::config
