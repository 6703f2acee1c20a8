// The file of nccl-tests that says what alltoallv sends.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "plan/sweep.h"

namespace sxb::plan {
namespace {

constexpr double kMostBytesOfPair = 1e15;
constexpr const char* kHelp =
    "a row a line and a column for each rank: row i, column j are the bytes that rank i sends to rank j";

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = line.find_first_not_of(" \t\r\v\f", at)) != std::string::npos) {
    const std::size_t end = std::min(line.find_first_of(" \t\r\v\f", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

Result<std::int64_t> parse_cell(const std::string& word, const std::string& where, double scale) {
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || !std::isfinite(value)) {
    return Error{fmt::format("\"{}\" is no number of bytes", word), where, kHelp};
  }
  if (value < 0) return Error{fmt::format("{} bytes cannot be sent", word), where, "write 0 for nothing"};
  if (value * scale > kMostBytesOfPair) {
    return Error{fmt::format("{} bytes times {:g} are too many", word, scale), where,
                 "use smaller figures or a smaller scale"};
  }
  return static_cast<std::int64_t>(value * scale) / 16 * 16;
}

}  // namespace

std::int64_t TrafficMatrix::most_bytes(std::size_t ranks) const {
  const std::size_t used = std::min(ranks, size());
  std::int64_t most = 0;
  for (std::size_t i = 0; i < used; ++i) {
    std::int64_t sent = 0, received = 0;
    for (std::size_t j = 0; j < used; ++j) {
      sent += rows[i][j];
      received += rows[j][i];
    }
    most = std::max({most, sent, received});
  }
  return most;
}

Result<TrafficMatrix> parse_traffic_matrix(const std::string& text, const std::string& path, double scale) {
  TrafficMatrix matrix;
  int number = 0;
  for (const std::string& line : split(text, '\n')) {
    const std::string where = fmt::format("{}:{}", path, ++number);
    std::vector<std::int64_t> row;
    for (const std::string& word : words_of(line)) {
      SXB_ASSIGN_OR_RETURN(const std::int64_t bytes, parse_cell(word, where, scale));
      row.push_back(bytes);
    }
    if (row.empty()) continue;
    if (!matrix.empty() && row.size() != matrix.rows.front().size()) {
      return Error{fmt::format("{} columns, the rows before have {}", row.size(), matrix.rows.front().size()),
                   where, kHelp};
    }
    matrix.rows.push_back(std::move(row));
  }
  if (matrix.empty()) return Error{"no traffic matrix: the file is empty", path, kHelp};
  if (matrix.size() != matrix.rows.front().size()) {
    return Error{fmt::format("{} rows of {} columns: a traffic matrix is square", matrix.size(),
                             matrix.rows.front().size()),
                 path, kHelp};
  }
  if (matrix.most_bytes(matrix.size()) == 0) {
    return Error{"nobody sends anything", path, "figures are bytes, rounded down to multiples of 16"};
  }
  return matrix;
}

}  // namespace sxb::plan
