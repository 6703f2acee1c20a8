#include "cli/app.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "cli/request/request.h"

namespace sxb::cli {
namespace {

using ::testing::HasSubstr;

int run(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "sxbench");
  return run_app(static_cast<int>(arguments.size()), arguments.data());
}

std::string stderr_of(const std::vector<const char*>& arguments) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run(arguments), 2);
  return ::testing::internal::GetCapturedStderr();
}

TEST(App, VersionAndHelpAreNoErrors) {
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_THAT(::testing::internal::GetCapturedStdout(), HasSubstr("sxbench 0."));
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(run({"run", "--help"}), 0);
  EXPECT_THAT(::testing::internal::GetCapturedStdout(), HasSubstr("Examples:"));
}

TEST(App, NamesTheVerbThatWasMeant) {
  EXPECT_THAT(stderr_of({"rnu"}), HasSubstr("did you mean \"run\""));
  EXPECT_THAT(stderr_of({}), HasSubstr("a verb is missing"));
}

TEST(App, NamesTheOptionThatWasMeant) {
  const std::string text = stderr_of({"run", "--modls", "tiny"});
  EXPECT_THAT(text, HasSubstr("\"--modls\" is not an option of run"));
  EXPECT_THAT(text, HasSubstr("did you mean \"--models\""));
  EXPECT_THAT(stderr_of({"nccl", "--minbyte=8"}), HasSubstr("--minbytes"));
}

TEST(App, WrongValuesAreUsageErrors) {
  EXPECT_THAT(stderr_of({"run", "--repeats", "many"}), HasSubstr("--repeats"));
  EXPECT_THAT(stderr_of({"nccl", "-b", "8X"}), HasSubstr("8X"));
  EXPECT_THAT(stderr_of({"report", "a", "b"}), HasSubstr("one word too many"));
}

TEST(App, EveryVerbHasExamplesThatStartItsHelp) {
  ExitCode result = ExitCode::kOk;
  const auto app = make_app(result);
  const auto verbs = app->get_subcommands([](const CLI::App*) { return true; });
  std::vector<std::string> names;
  for (CLI::App* verb : verbs) {
    names.push_back(verb->get_name());
    const std::string help = verb->help();
    const std::size_t example = help.find("sxbench " + verb->get_name());
    ASSERT_NE(example, std::string::npos) << verb->get_name();
    EXPECT_LT(help.find("Examples:"), help.find("Usage:")) << verb->get_name();
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("run", "nccl", "report", "compare", "show", "list",
                                                     "plan", "check", "config", "data", "deploy", "gpu",
                                                     "burn", "locate", "worker"));
}

TEST(App, NcclHasTheLettersOfNcclTests) {
  ExitCode result = ExitCode::kOk;
  const auto app = make_app(result);
  const CLI::App* verb = app->get_subcommand("nccl");
  const std::vector<std::pair<std::string, std::string>> flags = {
      {"-b", "--minbytes"},        {"-e", "--maxbytes"},   {"-f", "--stepfactor"},
      {"-i", "--stepbytes"},       {"-n", "--iters"},      {"-w", "--warmup_iters"},
      {"-c", "--check"},           {"-d", "--datatype"},   {"-o", "--op"},
      {"-m", "--agg_iters"},       {"-r", "--root"},       {"-z", "--blocking"},
      {"-G", "--cudagraph"},       {"-a", "--average"},    {"-T", "--timeout"},
      {"-R", "--local_register"},  {"-x", "--cta_policy"}, {"-I", "--per_iter_timing"},
      {"-K", "--per_iter_skip"},   {"-u", "--unalign"},    {"-S", "--report_timestamps"},
      {"-J", "--output_file"},     {"-t", "--nthreads"},   {"-g", "--ngpus"},
      {"-p", "--parallel_init"},   {"-N", "--run_cycles"}, {"-y", "--stream_null"},
      {"-C", "--report_cputime"},  {"-M", "--memory"},     {"-D", "--device_implementation"},
      {"-V", "--device_cta_count"}};
  for (const auto& [letter, name] : flags) EXPECT_EQ(verb->get_option(letter), verb->get_option(name));
}

TEST(App, NcclExplainsWhatNcclTestsAloneHas) {
  const std::string text = stderr_of({"nccl", "-g", "8", "-t", "2", "-J", "out.txt", "-f", "2", "-i", "8"});
  EXPECT_THAT(text, HasSubstr("--> -g 8\n"));
  EXPECT_THAT(text, HasSubstr("--> -t 2\n"));
  EXPECT_THAT(text, HasSubstr("\"out.txt\" does not end in .json"));
  EXPECT_THAT(text, HasSubstr("--> -f -i"));
  // The values that change nothing pass, so that scripts go on working.
  EXPECT_THAT(stderr_of({"nccl", "-g", "1", "-C", "0", "-V", "16", "-d", "flaot", "--device", "cpu"}),
              ::testing::AllOf(HasSubstr("did you mean \"float\""), ::testing::Not(HasSubstr("--> -g"))));
}

TEST(App, NcclTakesTheSplitOfNcclTestsEnvironment) {
  ASSERT_EQ(::setenv("NCCL_TESTS_SPLIT", "XOR 3", 1), 0);
  EXPECT_THAT(stderr_of({"nccl"}), HasSubstr("\"XOR 3\" splits nothing"));
  ASSERT_EQ(::unsetenv("NCCL_TESTS_SPLIT"), 0);
  ASSERT_EQ(::setenv("NCCL_TESTS_SPLIT_MASK", "7", 1), 0);
  // Every rank of one CPU node is a group of its own, which is refused.
  EXPECT_THAT(stderr_of({"nccl", "--device", "cpu"}), HasSubstr("split \"AND 0x7\""));
  ASSERT_EQ(::unsetenv("NCCL_TESTS_SPLIT_MASK"), 0);
}

TEST(App, NcclReadsATrafficMatrix) {
  const std::filesystem::path file = std::filesystem::path(::testing::TempDir()) / "sxb-traffic.txt";
  ASSERT_TRUE(write_file_atomic(file, "16 16\n16 -3\n").ok());
  const std::string path = file.string();
  const auto text = [&](const char* collective) {
    return stderr_of({"nccl", collective, "--alltoallv-matrix", path.c_str(), "--device", "cpu"});
  };
  EXPECT_THAT(text("alltoallv"),
              ::testing::AllOf(HasSubstr("-3 bytes cannot be sent"), HasSubstr("--> " + path + ":2")));
  EXPECT_THAT(text("all_reduce"), HasSubstr("write sxbench nccl alltoallv --alltoallv-matrix"));
  ASSERT_EQ(::setenv("NCCL_TESTS_ALLTOALLV_MATRIX_FILE", "/no/such/traffic.txt", 1), 0);
  EXPECT_THAT(stderr_of({"nccl", "alltoallv"}), HasSubstr("/no/such/traffic.txt"));
  EXPECT_THAT(stderr_of({"nccl", "reduce", "-r", "99", "--device", "cpu"}),
              ::testing::Not(HasSubstr("traffic")))
      << "it is not asked for";
  ASSERT_EQ(::unsetenv("NCCL_TESTS_ALLTOALLV_MATRIX_FILE"), 0);
  ASSERT_TRUE(write_file_atomic(file, "160\n").ok());
  EXPECT_THAT(text("alltoallv"), HasSubstr("the traffic matrix has 1 row, there are 2 ranks"));
}

TEST(App, NcclTakesCollectivesAsWordsAndAsAList) {
  EXPECT_THAT(stderr_of({"nccl", "all_gathr"}), HasSubstr("did you mean \"all_gather\""));
  EXPECT_THAT(stderr_of({"nccl", "--collectives", "reduce,scater"}), HasSubstr("did you mean \"scatter\""));
  EXPECT_THAT(stderr_of({"run", "--collectives", "scater", "--phases", "nccl"}), HasSubstr("\"scatter\""));
  EXPECT_THAT(stderr_of({"nccl", "alltoall_perf", "-r", "some"}), HasSubstr("-r"));
}

TEST(Request, ClusterAndModelFilesAreReportedAtOnce) {
  const std::filesystem::path dir = std::filesystem::path(::testing::TempDir()) / "sxb-request";
  ASSERT_TRUE(write_file_atomic(dir / "cluster.json", R"({"name": "c", "nodes": 3})").ok());
  ASSERT_TRUE(write_file_atomic(dir / "model.json", R"({"name": "m", "layers": 2})").ok());
  const std::string cluster = (dir / "cluster.json").string();
  const std::string model = (dir / "model.json").string();
  const std::string text = stderr_of(
      {"run", "--cluster", cluster.c_str(), "--models", model.c_str(), "--phases", "sft,fly", "--dry-run"});
  EXPECT_THAT(text, HasSubstr(cluster + ":/nodes"));
  EXPECT_THAT(text, HasSubstr(model + ":/"));
  EXPECT_THAT(text, HasSubstr("fly"));
  EXPECT_EQ(text.find(cluster + ":/nodes"), text.rfind(cluster + ":/nodes")) << "told twice:\n" << text;
}

}  // namespace
}  // namespace sxb::cli
