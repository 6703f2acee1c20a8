// A live server: each input comes from a stranger, and then from a rank that has proved the token. After some
// of them another rank does what ranks do.
#include <string>

#include "fuzz/driver.h"
#include "rendezvous/testing.h"

namespace sxb::rendezvous {
namespace {

constexpr int kWorld = 3, kHonest = 0, kHonestToo = 1, kEvil = 2;
constexpr std::size_t kInputsBetween = 50;
/// Then the evil rank has its quota again.
constexpr std::size_t kInputsOfAServer = 2000;
constexpr std::chrono::minutes kLongest{1};

void stranger(int port, std::string_view bytes) {
  const Raw raw(port);
  SXB_FUZZ_CHECK(raw.connected());
  raw.send(bytes);
  raw.end_of_speech();
  // Until the server has closed it: then it has read all that it wants of it.
  SXB_FUZZ_CHECK(raw.read_all().size() <= kGreetingBytes + kWelcomeBytes);
}

void evil_rank(int port, std::string_view bytes) {
  Raw raw(port);
  raw.say_hello(kEvil, kWorld);
  const auto entry = raw.welcome();
  SXB_FUZZ_CHECK(entry == Entry::kAdmitted || entry == Entry::kRankTaken);
  raw.send(bytes);
  raw.end_of_speech();
  raw.read_all();
}

void honest_ranks(const Served& served, std::size_t turn) {
  const std::string name = std::to_string(turn);
  const Connected one = Client::connect(rank_options(kHonest, kWorld, served.port));
  const Connected two = Client::connect(rank_options(kHonestToo, kWorld, served.port));
  SXB_FUZZ_CHECK(one.client && two.client);
  // Keys that the evil rank cannot have taken before.
  SXB_FUZZ_CHECK(one.client->ask(Verb::kSet, {"rank/0"}, "me", kLongest).ok());
  SXB_FUZZ_CHECK(two.client->ask(Verb::kSet, {"rank/1"}, "me too", kLongest).ok());
  SXB_FUZZ_CHECK(two.client->ask(Verb::kGet, {"rank/0"}, "", kLongest).value == "me");
  SXB_FUZZ_CHECK(one.client->ask(Verb::kGet, {"rank/1"}, "", kLongest).value == "me too");
  two.client->arrive(name);
  const Outcome missing = one.client->ask(Verb::kMissing, {name}, "", kLongest);
  SXB_FUZZ_CHECK(missing.ok());
}

}  // namespace
}  // namespace sxb::rendezvous

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sxb::rendezvous;
  static Served served;
  static std::size_t count = 0;
  if (count % kInputsOfAServer == 0) served = serve(kWorld);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  stranger(served.port, bytes);
  evil_rank(served.port, bytes);
  if (count++ % kInputsBetween == 0) honest_ranks(served, count);
  return 0;
}
