// What is wrong with a command line, in the words of sxbench: those of the argument library name neither the
// flag's place nor what to do.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace sxb::cli {

/// The words of a command line without its first, in one of the spellings that people try: "help run" is
/// "run --help", "version" and "-V" are "--version".
std::vector<std::string> usual_words(std::vector<std::string> words);

Error explain(const CLI::App& app, const CLI::ParseError& error);

}  // namespace sxb::cli
