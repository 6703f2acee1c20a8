#include "launch/node/engine_error.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace sxb::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kMissing =
    "libtorch_cuda.so: cannot open shared object file: No such file or directory";

class EngineError : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sxb-engine-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    fs::create_directories(dir_ / "opt" / "lib");
  }
  void TearDown() override {
    std::error_code ec;
    fs::permissions(dir_ / "wheels", fs::perms::owner_all, ec);
    fs::remove_all(dir_);
  }
  Error error(const std::string& loader) const {
    return engine_load_error(loader, dir_ / "opt" / "lib" / "libsxbench_engine.so", dir_ / "wheels");
  }

  fs::path dir_;
};

TEST_F(EngineError, ALibtorchThatIsNowhereIsInstalledByItsComponent) {
  const Error found = error(kMissing);
  EXPECT_EQ(found.code, ExitCode::kEnvironment);
  EXPECT_THAT(found.what, HasSubstr("libtorch_cuda.so"));
  EXPECT_THAT(found.what, HasSubstr("neither in the tree nor in " + (dir_ / "wheels").string()));
  EXPECT_THAT(found.help, HasSubstr("--prefix " + (dir_ / "opt").string() + " --component libtorch"));
}

TEST_F(EngineError, ACacheOfAnotherUserIsTheCause) {
  fs::create_directories(dir_ / "wheels" / "torch" / "lib");
  fs::permissions(dir_ / "wheels", fs::perms::none);
  const auto look_as_another_user = [&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) std::_Exit(1);  // root may read everything
    const Error found = error(kMissing);
    const bool said = found.what.find("which this user may not read") != std::string::npos &&
                      found.help.find("--component libtorch") != std::string::npos;
    std::_Exit(said ? 0 : 1);
  };
  EXPECT_EXIT(look_as_another_user(), ::testing::ExitedWithCode(0), "");
}

TEST_F(EngineError, ATreeWithAPartOfLibtorchIsNamed) {
  fs::create_directories(dir_ / "opt" / "lib" / "libtorch");
  EXPECT_THAT(error(kMissing).what, HasSubstr("libtorch is not whole"));
}

TEST_F(EngineError, OtherFaultsKeepTheLoadersWords) {
  EXPECT_THAT(error("undefined symbol: x").help, HasSubstr("scripts/setup.sh"));
  fs::create_directories(dir_ / "wheels" / "torch" / "lib");
  EXPECT_THAT(error("libfoo.so: cannot open shared object file: x").help, Not(HasSubstr("--component")));
}

}  // namespace
}  // namespace sxb::launch
