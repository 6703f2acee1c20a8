#include "cli/app.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <sstream>

#include "base/build_info.h"
#include "base/text.h"
#include "cli/explain.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/verbs.h"

namespace sxb::cli {
namespace {

constexpr const char* kCodes =
    "Exit codes: 0 all went well, 1 a task failed, 2 wrong usage, 3 a goal was missed, 4 the environment "
    "failed,\n"
    "5 partial, 130 interrupted (docs/exit-codes.md)";

/// Help that leads with examples: those of a verb are its footer.
class ExamplesFirst : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    if (mode == CLI::AppFormatMode::Sub) return make_expanded(app);
    std::ostringstream out;
    out << app->get_description() << "\n\n" << app->get_footer() << "\n\n";
    out << make_usage(app, name) << make_positionals(app) << make_groups(app, mode)
        << make_subcommands(app, mode) << "\n"
        << kCodes << "\n";
    return out.str();
  }
};

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
  // As getopt and nccl-tests have it, so that a script may add a flag to those it was given; once() is for
  // lists.
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
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
      std::vector<std::string> words = usual_words({argv + std::min(argc, 1), argv + argc});
      std::reverse(words.begin(), words.end());  // as the library takes them
      app->parse(std::move(words));
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
