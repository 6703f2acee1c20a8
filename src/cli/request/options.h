// What flags of several verbs are made of.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <string>

namespace sxb::cli {

/// A whole number of a flag, checked when it is read.
CLI::Validator between(int min, int max);

/// A flag whose value is a list: given twice, the first list would be lost.
CLI::Option* once(CLI::Option* option);

/// A flag whose value is a path, which no shell has looked at after "--flag=": "~/" is the home folder.
CLI::Option* path_option(CLI::Option* option);

/// Says which run stands for the results folder `path` where its link to the latest is missing.
void note_newest(const std::filesystem::path& path);

/// A flag that takes a size as nccl-tests does: "8", "32K", "1M", "8G".
CLI::Option* size_option(CLI::App& verb, const std::string& names, std::int64_t& target,
                         const std::string& description);

}  // namespace sxb::cli
