#include "style/spelling.h"

#include <algorithm>
#include <regex>
#include <sstream>

namespace sxb::style {
namespace {

using nlohmann::json;

void add_verb(const CLI::App& app, const std::string& verb, Known& known) {
  Words& flags = known.verbs[verb];
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.insert("--" + name);
  }
  for (const CLI::App* sub : app.get_subcommands({})) {
    add_verb(*sub, verb.empty() ? sub->get_name() : verb + " " + sub->get_name(), known);
  }
}

/// The strings that a schema allows as a whole value or as an element; `open`: others too.
void add_values(const json& schema, Words& values, bool& open) {
  if (schema.contains("const") && schema["const"].is_string())
    values.insert(schema["const"].get<std::string>());
  if (schema.contains("enum")) {
    for (const json& value : schema["enum"]) {
      if (value.is_string()) values.insert(value.get<std::string>());
    }
  } else if (schema.value("type", json()) == "string") {
    open = true;
  }
  if (schema.contains("items")) add_values(schema["items"], values, open);
  for (const char* choice : {"anyOf", "oneOf"}) {
    for (const json& one : schema.value(choice, json::array())) add_values(one, values, open);
  }
}

void add_properties(const json& schema, const std::string& above, Known& known) {
  for (const char* choice : {"anyOf", "oneOf"}) {
    for (const json& one : schema.value(choice, json::array())) add_properties(one, above, known);
  }
  if (schema.contains("items")) add_properties(schema["items"], above, known);
  const json properties = schema.value("properties", json::object());
  for (const auto& [name, property] : properties.items()) {
    const std::string path = above.empty() ? name : above + "." + name;
    known.keys.insert(path);
    known.names.insert(name);
    if (property.contains("properties")) known.objects.insert(name);
    Words values;
    bool open = false;
    add_values(property, values, open);
    if (!values.empty() && !open) known.values[name].merge(values);
    add_properties(property, path, known);
  }
}

template <typename Each>
void for_each_match(const std::string& text, const std::regex& pattern, Each each) {
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) each(*at);
}

bool in_any_verb(const Known& known, const std::string& flag) {
  return std::any_of(known.verbs.begin(), known.verbs.end(),
                     [&](const auto& verb) { return verb.second.count(flag) != 0; });
}

/// The verb that a command "sxbench verb [verb] ..." calls; "" when its first word is none.
std::string verb_of(const Known& known, const std::string& command) {
  std::istringstream words(command);
  std::string verb, word;
  words >> word;  // sxbench
  while (words >> word) {
    const std::string longer = verb.empty() ? word : verb + " " + word;
    if (known.verbs.count(longer) == 0) break;
    verb = longer;
  }
  return verb;
}

class Check {
 public:
  Check(const Known& known, const std::string& where, const std::string& text)
      : known_(known), where_(where), text_(text) {}

  void flags() {
    static const std::regex flag(R"((^|[^\w-])(--[a-z][a-z0-9_]*(-[a-z0-9_]+)*))");
    const auto row = known_.foreign_flags.find(where_);
    for_each_match(text_, flag, [&](const std::smatch& match) {
      const std::string name = match[2];
      if (in_any_verb(known_, name) || (row != known_.foreign_flags.end() && row->second.count(name) != 0))
        return;
      say("no verb has a flag " + name);
    });
  }

  /// The flags of "sxbench verb ..." are those of that verb. The command ends where another word of prose
  /// begins.
  void commands() {
    static const std::regex command(R"(\bsxbench (([a-z]+)[^\n;|)`#]*))");
    static const std::regex flag(R"( (--[a-z][a-z0-9-]*))");
    for_each_match(text_, command, [&](const std::smatch& match) {
      std::string line = match[0];
      line = line.substr(0, line.find("  "));
      const std::string verb = verb_of(known_, line);
      if (verb.empty()) return;
      for_each_match(line, flag, [&](const std::smatch& part) {
        const std::string name = part[1];
        if (!in_any_verb(known_, name) || known_.verbs.at(verb).count(name) != 0) return;
        say("sxbench " + verb + " has no flag " + name);
      });
    });
  }

  /// "training.recompute": a dotted word that begins with the name of a key that has others below it.
  void keys() {
    static const std::regex dotted(R"((^|[^\w./-])([a-z][a-z0-9_]*(\.[a-z][a-zA-Z0-9_]*)+))");
    for_each_match(text_, dotted, [&](const std::smatch& match) {
      const std::string path = match[2];
      if (known_.objects.count(path.substr(0, path.find('.'))) == 0 || known_.keys.count(path) != 0) return;
      const std::string ending = path.substr(path.rfind('.') + 1);
      if (Words{"json", "jsonl", "md", "csv", "html", "cpp", "h", "py"}.count(ending) == 0)
        say("no key " + path);
    });
  }

  /// recompute=blocks, recompute "blocks", "recompute": "blocks", recompute to "blocks"; in sentences, not in
  /// the beginning of a record that the journal looks for.
  void values() {
    static const std::regex value(
        R"x(([a-z][a-z0-9_]*)(=([a-zA-Z][\w-]*)|"?(:| to| =)? ?"([a-zA-Z][\w-]*)"))x");
    if (text_.find(' ') == std::string::npos) return;
    for_each_match(text_, value, [&](const std::smatch& match) {
      const auto row = known_.values.find(match[1]);
      const std::string given = match[3].matched ? match[3] : match[5];
      if (row == known_.values.end() || row->second.count(given) != 0) return;
      say("\"" + given + "\" is not a value of " + match[1].str());
    });
  }

  void variables() {
    static const std::regex variable(R"(\bSXBENCH_[A-Z][A-Z_]*\b)");
    for_each_match(text_, variable, [&](const std::smatch& match) {
      if (known_.variables.count(match[0]) == 0) say("nothing reads " + match[0].str());
    });
  }

  /// snake_case words in a sentence; file names and what follows a slash or a dot are none.
  void words() {
    static const std::regex snake(R"((^|[^\w./-])([a-z][a-z0-9]*(_[a-z0-9]+)+)(?![\w/(]|\.[a-z]))");
    if (text_.find(' ') == std::string::npos) return;
    for_each_match(text_, snake, [&](const std::smatch& match) {
      const std::string word = match[2];
      if (known_.names.count(word) != 0 || known_.foreign_words.count(word) != 0) return;
      say(word + " is neither a key nor in tests/style/foreign.txt");
    });
  }

  std::vector<std::string> found() { return std::move(found_); }

 private:
  void say(const std::string& what) {
    if (std::count(found_.begin(), found_.end(), what) == 0) found_.push_back(what);
  }

  const Known& known_;
  const std::string& where_;
  const std::string& text_;
  std::vector<std::string> found_;
};

}  // namespace

void add_flags(const CLI::App& app, Known& known) { add_verb(app, "", known); }

void add_schema(const json& schema, Known& known) {
  add_properties(schema, "", known);
  const json parts = schema.value("$defs", json::object());
  for (const auto& [name, part] : parts.items()) {
    Known inner;  // parts have no path of their own: "nodes" is an array
    add_properties(part, "", inner);
    known.names.merge(inner.names);
    for (auto& [key, values] : inner.values) known.values[key].merge(values);
  }
}

void add_foreign(const std::string& text, Known& known) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(0, line.find('#'));
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string name = line.substr(0, colon);
    Words& words = name == "words" ? known.foreign_words : known.foreign_flags[name];
    std::istringstream rest(line.substr(colon + 1));
    for (std::string word; rest >> word;) words.insert(word);
  }
}

std::vector<std::string> misspelt(const Known& known, const std::string& where, const std::string& text,
                                  bool words) {
  Check check(known, where, text);
  check.flags();
  check.commands();
  check.keys();
  check.values();
  check.variables();
  if (words) check.words();
  return check.found();
}

std::vector<Command> commands_of(const std::string& page) {
  static const std::regex code(R"(`([^`]+)`)");
  std::vector<Command> commands;
  std::istringstream lines(page);
  int number = 0;
  bool continues = false;
  const auto is_command = [](const std::string& text) {
    return text.rfind("sxbench ", 0) == 0 || text.rfind("--", 0) == 0;
  };
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string::npos) continue;
    const std::string text = line.substr(begin);
    if (continues) {
      commands.back().text += text;
    } else if (begin >= 4 && text.rfind("sxbench ", 0) == 0) {
      commands.push_back({number, text});
    } else {
      for_each_match(line, code, [&](const std::smatch& match) {
        if (is_command(match[1])) commands.push_back({number, match[1]});
      });
      continue;
    }
    continues = commands.back().text.back() == '\\';
    if (continues) commands.back().text.pop_back();
  }
  return commands;
}

}  // namespace sxb::style
