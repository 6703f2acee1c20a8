// Lines of srun, of node keys, of the kernel's table of connections.
#include "fuzz/inputs.h"
#include "launch/transport/node_key_line.h"
#include "launch/transport/slurm.h"
#include "launch/transport/ssh_line.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb;
  const std::string_view text = fuzz::text_of(data, size);
  std::vector<std::string> lines;
  fuzz::each_line(text, [&](std::string_view line) { lines.emplace_back(line); });
  for (const std::string& line : lines) {
    if (const auto exit = launch::parse_srun_exit(line))
      for (const int task : exit->tasks) SXB_FUZZ_CHECK(task >= 0);
    for (const std::string& name : launch::parse_node_failure(line)) SXB_FUZZ_CHECK(!name.empty());
    if (const auto key = launch::parse_node_key_line(line, "1234")) SXB_FUZZ_CHECK(!key->empty());
    static_cast<void>(launch::says_program_is_missing(line));
    if (const auto ssh = launch::SshLine::parse(line)) static_cast<void>(ssh->unanswered(text));
  }
  static_cast<void>(launch::telling_words(lines));
  static_cast<void>(launch::cancelling_words(lines, {lines.begin(), lines.end()}));
  if (const auto ssh = launch::SshLine::parse("10.0.0.1 40000 10.0.0.2 22"))
    static_cast<void>(ssh->unanswered(text));
  return 0;
}
