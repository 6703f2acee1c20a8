// Alpaca's instruction format: entries of instruction, input and output, and the prompt of Stanford
// Alpaca, which fine-tuned weights depend on to the letter.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sxb::data {

struct Instruction {
  std::string instruction;
  std::string input;   ///< further context; often empty
  std::string output;  ///< may be empty, as some of the published Alpaca entries are
};

/// A JSON array of objects, or JSONL (one object per line); other keys are ignored. Errors name the
/// entry (array, counted from 1) or the line (JSONL). A file without entries is an error.
Result<std::vector<Instruction>> load_alpaca(const std::filesystem::path& file);
Result<std::vector<Instruction>> parse_alpaca(std::string_view text, const std::string& where);

/// The prompt up to and including "### Response:"; the response follows without a space.
std::string alpaca_prompt(const Instruction& entry);

}  // namespace sxb::data
