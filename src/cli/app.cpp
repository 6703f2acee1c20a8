#include "cli/app.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <sstream>

#include "base/build_info.h"
#include "base/text.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {
namespace {

/// Help that leads with examples: those of a verb are its footer.
class ExamplesFirst : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    if (mode == CLI::AppFormatMode::Sub) return make_expanded(app);
    std::ostringstream out;
    out << app->get_description() << "\n\n" << app->get_footer() << "\n\n";
    out << make_usage(app, name) << make_positionals(app) << make_groups(app, mode)
        << make_subcommands(app, mode);
    return out.str();
  }
};

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb :
       app.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); })) {
    names.push_back(verb->get_name());
  }
  return names;
}

/// The verb that the command line has got to, or the application.
const CLI::App& deepest(const CLI::App& app) {
  const CLI::App* verb = &app;
  while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
  return *verb;
}

Error unknown_option(const CLI::App& verb, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string> known;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& long_name : option->get_lnames()) known.push_back("--" + long_name);
  }
  const std::string guess = did_you_mean(name, known);
  const std::string help_command =
      fmt::format("sxbench {}--help", verb.get_parent() ? verb.get_name() + " " : "");
  return {fmt::format("\"{}\" is not an option{}", name, verb.get_parent() ? " of " + verb.get_name() : ""),
          "",
          guess.empty() ? help_command + " lists the options"
                        : fmt::format("did you mean \"{}\"? ({})", guess, help_command)};
}

Error explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& verb = deepest(app);
  const std::vector<std::string> left = app.remaining(true);
  if (!left.empty()) {
    if (left.front().rfind('-', 0) == 0) return unknown_option(verb, left.front());
    if (verb.get_parent() == nullptr) {
      return {fmt::format("\"{}\" is not a verb of sxbench", left.front()), "",
              suggest(left.front(), verb_names(app))};
    }
    return {fmt::format("\"{}\" is one word too many", left.front()), "",
            fmt::format("quote values with spaces; sxbench {} --help shows the usage", verb.get_name())};
  }
  if (verb.get_parent() == nullptr) return {"a verb is missing", "", suggest("", verb_names(app))};
  return {error.what(), "", fmt::format("sxbench {} --help shows the usage", verb.get_name())};
}

}  // namespace

std::unique_ptr<CLI::App> make_app(ExitCode& result, const Verbs& rows) {
  auto app = std::make_unique<CLI::App>(
      "sxbench qualifies GPU clusters: NCCL sweeps, Llama-2 fine-tuning, metrics and a report with evidence.",
      "sxbench");
  app->footer(
      "Examples:\n"
      "  sxbench run                                          this machine: check, sweep, fine-tune, report\n"
      "  sxbench run --models 7b,13b,70b --nodes 2,4,8 --cluster cluster.json\n"
      "  sxbench nccl --nodes 4                               the all-reduce sweep alone\n"
      "  sxbench burn --nodes 4 --duration 5m                 all GPUs at once: same bits every time, slow "
      "ones named\n"
      "  sxbench list                                         the runs under results/ and how they ended\n"
      "  sxbench run --resume                                 do what the latest run lacks\n"
      "  sxbench report results/                              write the latest report again");
  app->formatter(std::make_shared<ExamplesFirst>());
  app->option_defaults()->always_capture_default(false);
  app->set_version_flag("--version",
                        [] { return fmt::format("sxbench {}\nbuild {}", version(), build_id()); });
  app->require_subcommand(1);
  app->failure_message([](const CLI::App* failed, const CLI::Error& error) {
    const auto* parse_error = dynamic_cast<const CLI::ParseError*>(&error);
    return format_error(parse_error ? explain(*failed, *parse_error)
                                    : Error{error.what(), "", "sxbench --help"});
  });
  for (const AddVerb add : rows) add(*app, result);
  return app;
}

int run_app(int argc, const char* const* argv, const Verbs& rows) {
  const auto run = [&] {
    ExitCode result = ExitCode::kOk;
    const std::unique_ptr<CLI::App> app = make_app(result, rows);
    try {
      app->parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      // Help and version are "errors" of code 0; CLI11's own codes for the others mean nothing here.
      std::ostringstream out, err;
      result = app->exit(error, out, err) == 0 ? ExitCode::kOk : ExitCode::kUsage;
      write_out(out.str());
      write_err(err.str());
    } catch (const CLI::Error& error) {
      write_err(format_error({error.what(), "", "sxbench --help"}));
      result = ExitCode::kUsage;
    } catch (const std::exception& error) {
      // The one handler: our own functions return errors, the libraries below them may throw.
      write_err(format_error(unexpected(error)));
      result = unexpected(error).code;
    }
    return result;
  };
  return static_cast<int>(with_output_written(run()));
}

}  // namespace sxb::cli
