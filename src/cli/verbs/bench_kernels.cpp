// sxbench worker bench-kernels: how fast the trainer's kernels run on this GPU, one by one.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "base/json.h"
#include "cli/ui/terminal.h"
#include "cli/verbs/worker.h"
#include "config/hardware/hardware.h"
#include "config/model/model.h"
#include "launch/head/placement.h"
#include "launch/node/rank.h"
#include "plan/task.h"
#include "plan/validate.h"
#include "record/kinds/run.h"
#include "record/typed.h"

namespace sxb::cli {
namespace {

struct KernelFlags {
  std::string model = "7b";
  std::int64_t tokens = 0;  ///< 0: the model's micro-batch
  bool json = false;
};

/// What the engine hands back, row by row.
struct Table {
  std::optional<config::GpuHardware> gpu;
  bool print = true;
  Json rows = Json::array();
};

double number(const Json& row, const char* key) { return row.at(key).get<double>(); }

/// Adds the rate and its share of the GPU's peak, null where the peak is not known.
void add_rates(Json& row, const std::optional<config::GpuHardware>& gpu) {
  const bool moves = number(row, "bytes") > 0;
  const double per_s = (moves ? number(row, "bytes") : number(row, "flops")) / (number(row, "us") / 1e6);
  row[moves ? "terabytes_per_s" : "teraflops"] = per_s / 1e12;
  row["percent_of_peak"] = nullptr;
  row["times_aten"] = nullptr;
  const double peak = !gpu ? 0 : moves ? gpu->memory_bandwidth_gBps * 1e9 : gpu->bf16_dense_tflops * 1e12;
  if (peak > 0) row["percent_of_peak"] = 100 * per_s / peak;
  if (row.at("aten_us").is_number()) row["times_aten"] = number(row, "aten_us") / number(row, "us");
}

void print_row(const Json& row) {
  const bool moves = row.contains("terabytes_per_s");
  const auto or_missing = [&row](const char* key, const char* format) {
    return row.at(key).is_number() ? fmt::format(fmt::runtime(format), number(row, key))
                                   : std::string("missing");
  };
  print_out("{:<44} {:<34} {:>10.1f} {:>8.2f} {:<8} {:>9} {:>8}\n", row.at("kernel").get<std::string>(),
            row.at("shape").get<std::string>(), number(row, "us"),
            number(row, moves ? "terabytes_per_s" : "teraflops"), moves ? "TB/s" : "TFLOP/s",
            or_missing("percent_of_peak", "{:.1f}"), or_missing("times_aten", "{:.2f}"));
}

void take(Table& table, const Json& message) {
  Json data = message.at("data");
  if (message.at("kind") == "finding") {
    const auto finding = record::read<record::Finding>(data);
    print_err("error: {}\nhelp: {}\n", finding.message, finding.help);
    return;
  }
  add_rates(data, table.gpu);
  if (table.print) print_row(data);
  table.rows.push_back(std::move(data));
}

Result<plan::RankTask> make_task(const KernelFlags& flags) {
  plan::RankTask task;
  task.task.id = "bench-kernels";
  task.task.phase = plan::Phase::kSft;
  SXB_ASSIGN_OR_RETURN(task.task.model, config::resolve_model(flags.model));
  config::Training& training = task.task.model.training;
  if (flags.tokens > 0) {
    if (flags.tokens % training.seq_len != 0) {
      return Error{
          fmt::format("{} tokens are not whole rows of {}", flags.tokens, training.seq_len), "--tokens",
          fmt::format("use e.g. --tokens {}", (flags.tokens / training.seq_len + 1) * training.seq_len)};
    }
    training.micro_batch = flags.tokens / training.seq_len;
  }
  // The kernels take what a training may ask for: what planning refuses is refused here too.
  plan::PlanInput input;
  input.cluster.name = "local";
  input.cluster.nodes.resize(1);
  input.models = {task.task.model};
  input.node_counts = {1};
  input.phases = {plan::Phase::kSft};
  SXB_RETURN_IF_ERROR(plan::validate(input, {.cuda = true, .gpus_per_node = 1}));
  task.node = "local";
  task.cuda = true;
  task.gpu = 0;
  task.rendezvous_host = "127.0.0.1";
  task.token = std::string(32, '0');
  SXB_ASSIGN_OR_RETURN(task.rendezvous_port, launch::free_port());
  return task;
}

Result<ExitCode> bench(const KernelFlags& flags) {
  SXB_ASSIGN_OR_RETURN(const plan::RankTask task, make_task(flags));
  SXB_ASSIGN_OR_RETURN(const Json facts, launch::engine_facts());
  const Json devices = facts.value("devices", Json::array());
  const std::string gpu = devices.empty() ? "" : devices.front().at("name").get<std::string>();
  Table table;
  SXB_ASSIGN_OR_RETURN(table.gpu, config::find_gpu(gpu));
  table.print = !flags.json;
  if (table.print) {
    print_out("{:<44} {:<34} {:>10} {:>17} {:>9} {:>8}\n", "kernel", "shape", "us", "rate", "% of peak",
              "x ATen");
  }
  SXB_ASSIGN_OR_RETURN(const ExitCode code,
                       launch::bench_kernels(task, [&](const Json& message) { take(table, message); }));
  if (flags.json) {
    const config::Training& training = task.task.model.training;
    write_out(pretty_json({{"engine", facts},
                           {"gpu", gpu},
                           {"model", task.task.model.name},
                           {"tokens", training.micro_batch * training.seq_len},
                           {"rows", table.rows}}));
  }
  return code;
}

}  // namespace

void add_bench_kernels(CLI::App& worker) {
  auto flags = std::make_shared<KernelFlags>();
  CLI::App* verb = worker.add_subcommand("bench-kernels", "Times the trainer's kernels on the first GPU");
  verb->add_option("--model", flags->model, "whose shapes (default 7b)");
  verb->add_option("--tokens", flags->tokens, "per micro-batch (default: the model's)");
  verb->add_flag("--json", flags->json, "one JSON document instead of the table");
  verb->callback([flags] {
    const Result<ExitCode> ended = bench(*flags);
    if (!ended.ok()) write_err(format_errors(ended.errors()));
    leave(ended.ok() ? *ended : ended.error().code);
  });
}

}  // namespace sxb::cli
