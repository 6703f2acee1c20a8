// Runs a fuzz target on a corpus and on mutations of it, with nothing but the C++ library.
//
//   X_fuzz CORPUS...    folders of inputs, or single inputs: each as it is, then mutations of them for
//   SXB_FUZZ_S
//                       seconds (2). Of single inputs none: that repeats a finding.
//
// SXB_TEST_SEED repeats the mutations of a run; it is printed. An input that ends the process, or takes
// longer than kHang_s, is written to the working directory, and its name is printed.
//
// A target is libFuzzer's: with clang, `clang++ -fsanitize=fuzzer,address X_fuzz.cpp ...` without this file
// makes of the same sources a program that mutates by what the code covers. This driver does not see
// coverage; in return it needs no other compiler, and the sanitizers' presets run it as a test.
#include "fuzz/driver.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

constexpr unsigned kHang_s = 60;
constexpr std::size_t kLongestInput = 1 << 16;
constexpr int kMostMutations = 6;

// The input that the target has. Read by handlers, so without a constructor.
const std::uint8_t* current = nullptr;
std::size_t current_size = 0;
char kept_as[64] = "fuzz-finding";

void keep_input() {
  if (current == nullptr) return;
  const int fd = ::open(kept_as, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  if (fd < 0) return;
  const ssize_t written = ::write(fd, current, current_size);
  ::close(fd);
  constexpr char kText[] = "\nthe input is kept in ";
  const bool said = ::write(STDERR_FILENO, kText, sizeof kText - 1) >= 0 &&
                    ::write(STDERR_FILENO, kept_as, std::strlen(kept_as)) >= 0 &&
                    ::write(STDERR_FILENO, "\n", 1) >= 0;
  static_cast<void>(written + said);
  current = nullptr;
}

void on_signal(int signal) {
  keep_input();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t bound) { return bound == 0 ? 0 : random() % bound; }

using Bytes = std::vector<std::uint8_t>;

/// Borders of integers, in both byte orders.
void put_interesting_number(Bytes& bytes, Random& random) {
  static constexpr std::array<std::uint64_t, 16> kNumbers = {
      0,       1,          2,          0x7F,       0x80,
      0xFF,    0x100,      0x7FFF,     0x8000,     0xFFFF,
      0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF,
      ~0ULL};
  const std::size_t width = std::size_t{1} << below(random, 4);
  if (bytes.size() < width) return;
  const std::uint64_t number = kNumbers[below(random, kNumbers.size())];
  const std::size_t at = below(random, bytes.size() - width + 1);
  const bool big_endian = below(random, 2) == 0;
  for (std::size_t i = 0; i < width; ++i)
    bytes[at + (big_endian ? width - 1 - i : i)] = static_cast<std::uint8_t>(number >> (8 * i));
}

void insert_piece(Bytes& bytes, const Bytes& from, Random& random) {
  if (from.empty()) return;
  const std::size_t begin = below(random, from.size());
  const std::size_t size = 1 + below(random, from.size() - begin);
  const Bytes piece(from.begin() + static_cast<std::ptrdiff_t>(begin),
                    from.begin() + static_cast<std::ptrdiff_t>(begin + size));
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(below(random, bytes.size() + 1)), piece.begin(),
               piece.end());
}

void erase_piece(Bytes& bytes, Random& random) {
  if (bytes.empty()) return;
  const std::size_t begin = below(random, bytes.size());
  const std::size_t size = 1 + below(random, bytes.size() - begin);
  bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
              bytes.begin() + static_cast<std::ptrdiff_t>(begin + size));
}

void mutate(Bytes& bytes, const std::vector<Bytes>& corpus, Random& random) {
  switch (below(random, 9)) {
    case 0:  // a bit
      if (!bytes.empty())
        bytes[below(random, bytes.size())] ^= static_cast<std::uint8_t>(1U << below(random, 8));
      break;
    case 1:  // a byte
      if (!bytes.empty()) bytes[below(random, bytes.size())] = static_cast<std::uint8_t>(random());
      break;
    case 2:
      put_interesting_number(bytes, random);
      break;
    case 3:  // the end is missing
      bytes.resize(below(random, bytes.size() + 1));
      break;
    case 4:
      erase_piece(bytes, random);
      break;
    case 5: {  // a part of itself, once or often
      const Bytes self = bytes;
      for (std::size_t i = 1 + below(random, 20) * below(random, 2); i > 0 && bytes.size() < kLongestInput;
           --i)
        insert_piece(bytes, self, random);
      break;
    }
    case 6:  // a part of another
      insert_piece(bytes, corpus[below(random, corpus.size())], random);
      break;
    case 7: {  // the beginning of one, the end of another
      const Bytes& other = corpus[below(random, corpus.size())];
      bytes.resize(below(random, bytes.size() + 1));
      bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(below(random, other.size() + 1)),
                   other.end());
      break;
    }
    default: {  // a run of one byte
      const std::size_t count = std::size_t{1} << below(random, 12);
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(below(random, bytes.size() + 1)), count,
                   static_cast<std::uint8_t>(random()));
    }
  }
  if (bytes.size() > kLongestInput) bytes.resize(kLongestInput);
}

void run_input(const Bytes& bytes) {
  // Exactly as long as the input, so that a sanitizer sees a read behind it.
  const Bytes exact(bytes.begin(), bytes.end());
  current = exact.data();
  current_size = exact.size();
  ::alarm(kHang_s);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  ::alarm(0);
  current = nullptr;
}

Bytes read_input(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

double seconds_to_run() {
  const char* text = std::getenv("SXB_FUZZ_S");
  return text == nullptr ? 2 : std::strtod(text, nullptr);
}

std::uint64_t seed() {
  if (const char* text = std::getenv("SXB_TEST_SEED")) return std::strtoull(text, nullptr, 10);
  return std::random_device{}();
}

}  // namespace

void fuzz_failed(std::string_view what) {
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// The sanitizers end a process without a signal, but tell before.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

int main(int argc, char** argv) {
  std::vector<Bytes> corpus;
  bool folders = false;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      corpus.push_back(read_input(argv[i]));
      continue;
    }
    folders = true;
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(argv[i])) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());  // a seed means the same everywhere
    for (const fs::path& path : paths) corpus.push_back(read_input(path));
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "usage: %s CORPUS...: there is no input\n", argv[0]);
    return 2;
  }
  const std::uint64_t chosen = seed();
  std::snprintf(kept_as, sizeof kept_as, "fuzz-finding-%llu-%d", static_cast<unsigned long long>(chosen),
                static_cast<int>(::getpid()));
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGALRM}) ::signal(signal, on_signal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_input);

  for (const Bytes& input : corpus) run_input(input);
  if (!folders) return 0;
  std::printf("SXB_TEST_SEED=%llu, %zu inputs\n", static_cast<unsigned long long>(chosen), corpus.size());
  std::fflush(stdout);
  Random random(chosen);
  const std::chrono::duration<double> run_for(seconds_to_run());
  const auto begin = std::chrono::steady_clock::now();
  std::size_t count = 0;
  for (; std::chrono::steady_clock::now() - begin < run_for; ++count) {
    Bytes input = corpus[below(random, corpus.size())];
    for (std::size_t i = 1 + below(random, kMostMutations); i > 0; --i) mutate(input, corpus, random);
    run_input(input);
  }
  std::printf("%zu mutations ran\n", count);
  return count > 0 ? 0 : 1;
}
