#include "cli/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "config/model/model.h"
#include "config/shipped.h"

namespace sxb::cli {
namespace {

/// "config show": the words that lead to a verb; "" for the application.
std::string path_of(const CLI::App& verb) {
  const CLI::App* parent = verb.get_parent();
  if (parent == nullptr) return "";
  const std::string before = path_of(*parent);
  return before.empty() ? verb.get_name() : before + " " + verb.get_name();
}

std::string help_command(const CLI::App& verb) {
  const std::string path = path_of(verb);
  return fmt::format("sxbench {}--help", path.empty() ? "" : path + " ");
}

std::string usage_help(const CLI::App& verb) { return help_command(verb) + " shows the usage"; }

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb :
       app.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); })) {
    names.push_back(verb->get_name());
  }
  return names;
}

/// The application and the verbs that the command line has got to, outermost first.
std::vector<const CLI::App*> chain(const CLI::App& app) {
  std::vector<const CLI::App*> verbs = {&app};
  while (!verbs.back()->get_subcommands().empty()) verbs.push_back(verbs.back()->get_subcommands().front());
  return verbs;
}

bool has_option(const CLI::App& verb, const std::string& name) {
  return verb.get_option_no_throw(name) != nullptr;
}

Error unknown_option(const CLI::App& verb, const CLI::App& deepest, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  const std::string path = path_of(verb);
  Error error = {fmt::format("\"{}\" is not an option of {}", name, path.empty() ? "sxbench" : path), "",
                 help_command(verb) + " lists the options"};
  if (&verb != &deepest && has_option(deepest, name)) {
    error.help = fmt::format("write it after the verb: sxbench {} {}", path_of(deepest), word);
    return error;
  }
  // The dashes are no letters that were typed right.
  const std::size_t dashes = name.find_first_not_of('-');
  if (dashes == std::string::npos) return error;
  std::vector<std::string> known;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& long_name : option->get_lnames()) known.push_back(long_name);
  }
  if (const std::string guess = did_you_mean(name.substr(dashes), known); !guess.empty())
    error.help = fmt::format("did you mean \"--{}\"? ({})", guess, help_command(verb));
  return error;
}

Error extra_word(const CLI::App& verb, const std::string& word) {
  Error error = {fmt::format("\"{}\" is one word too many", word), "",
                 "quote values with spaces; " + usage_help(verb)};
  const std::vector<std::string> models = config::shipped_models();
  const bool is_model = std::find(models.begin(), models.end(), split(word, ',').front()) != models.end();
  if ((is_model || config::looks_like_path(word)) && has_option(verb, "--models"))
    error.help = fmt::format("models have a flag: sxbench {} --models {}", path_of(verb), word);
  return error;
}

Error missing_verb(const CLI::App& verb) {
  const std::string path = path_of(verb);
  return {path.empty() ? "a verb is missing" : fmt::format("a verb of {} is missing", path), "",
          suggest("", verb_names(verb))};
}

/// "-n, --iters", or the name of a word.
std::string names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names.empty() ? option.get_name() : join(names, ", ");
}

/// The option that a message of the library is about; nullptr if it names none.
const CLI::Option* option_of(const CLI::App& verb, const std::string& message) {
  const auto ends_a_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_';
  };
  const CLI::Option* found = nullptr;
  for (const CLI::Option* option : verb.get_options()) {
    const std::string name = option->get_name();
    const std::size_t at = message.find(name);
    if (name.empty() || at == std::string::npos) continue;
    const std::size_t end = at + name.size();
    const bool whole =
        (at == 0 || ends_a_name(message[at - 1])) && (end == message.size() || ends_a_name(message[end]));
    if (whole && (found == nullptr || name.size() > found->get_name().size())) found = option;
  }
  return found;
}

std::string bad_value(const CLI::Option& option) {
  const std::string value = option.results().empty() ? "" : option.results().back();
  const std::string type = option.get_type_name();
  const bool whole = type.starts_with("INT") || type.starts_with("UINT");
  if (whole) return fmt::format("\"{}\" is not a whole number", value);
  if (type.starts_with("FLOAT")) return fmt::format("\"{}\" is not a number", value);
  if (option.get_items_expected_max() == 0) return fmt::format("\"{}\" is neither true nor false", value);
  return fmt::format("\"{}\" is not understood", value);
}

Error wrong_use(const CLI::App& verb, const CLI::Option& option, const CLI::ParseError& error) {
  const std::string kind = error.get_name(), message = error.what(), names = names_of(option);
  if (kind == "RequiredError") return {fmt::format("{} is missing", names), "", usage_help(verb)};
  if (kind == "ConversionError") return {bad_value(option), names, usage_help(verb)};
  if (kind == "ArgumentMismatch") {
    if (option.results().size() > 1) {
      return {fmt::format("{} is given {} times", names, option.results().size()), "",
              fmt::format("give it once, with commas between its values: {} {}", option.get_name(),
                          join(option.results(), ","))};
    }
    return {fmt::format("{} needs a value", names), "", usage_help(verb)};
  }
  const std::size_t colon = message.find(": ");
  return {colon == std::string::npos ? message : message.substr(colon + 2), names, usage_help(verb)};
}

}  // namespace

std::vector<std::string> usual_words(std::vector<std::string> words) {
  if (words.empty()) return words;
  if (words.front() == "version" || words.front() == "-V") return {"--version"};
  if (words.front() == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  return words;
}

Error explain(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<const CLI::App*> verbs = chain(app);
  const CLI::App& verb = *verbs.back();
  for (const CLI::App* each : verbs) {
    const std::vector<std::string> left = each->remaining(false);
    if (left.empty()) continue;
    if (left.front().starts_with('-')) return unknown_option(*each, verb, left.front());
    if (each->get_subcommands([](const CLI::App*) { return true; }).empty())
      return extra_word(*each, left.front());
    const std::string path = path_of(*each);
    return {fmt::format("\"{}\" is not a verb of {}", left.front(), path.empty() ? "sxbench" : path), "",
            suggest(left.front(), verb_names(*each))};
  }
  const bool has_verbs = !verb.get_subcommands([](const CLI::App*) { return true; }).empty();
  if (has_verbs && error.get_name() == "RequiredError") return missing_verb(verb);
  if (const CLI::Option* option = option_of(verb, error.what())) return wrong_use(verb, *option, error);
  return {error.what(), "", usage_help(verb)};
}

}  // namespace sxb::cli
