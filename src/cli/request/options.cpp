#include "cli/request/options.h"

#include <fmt/format.h>

#include <charconv>

#include "analysis/read/find_run.h"
#include "base/input_file.h"
#include "base/units.h"
#include "cli/ui/terminal.h"

namespace sxb::cli {

CLI::Validator between(int min, int max) {
  const auto check = [min, max](std::string& text) -> std::string {
    int value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec == std::errc() && end == text.data() + text.size() && value >= min && value <= max) return "";
    return fmt::format("\"{}\" is not a whole number from {} to {}", text, min, max);
  };
  return CLI::Validator(check, fmt::format("INT in [{} - {}]", min, max));
}

CLI::Option* once(CLI::Option* option) { return option->multi_option_policy(CLI::MultiOptionPolicy::Throw); }

CLI::Option* path_option(CLI::Option* option) {
  return option->transform([](const std::string& text) { return expand_home(text); });
}

void note_newest(const std::filesystem::path& path) {
  if (const auto run = analysis::newest_without_link(path)) {
    print_err("note: {} has no link \"latest\" to a run; this is its newest, {}\n", path.string(),
              run->filename().string());
  }
}

CLI::Option* size_option(CLI::App& verb, const std::string& names, std::int64_t& target,
                         const std::string& description) {
  const auto read = [&target, names](const CLI::results_t& words) {
    const Result<std::int64_t> bytes = parse_bytes(words.front());
    if (!bytes.ok()) throw CLI::ValidationError(names, bytes.error().what);
    target = *bytes;
    return true;
  };
  return verb.add_option(names, read, description)->type_name("SIZE")->expected(1);
}

}  // namespace sxb::cli
