#include <fmt/format.h>

#include "base/text.h"
#include "report/document/document.h"

namespace sxb::report {
namespace {

/// Keeps what a cell or a sentence says from being read as markup, outside of `code`.
std::string escape(const std::string& text, bool in_table = false) {
  std::string out;
  bool code = false;
  for (const char c : text) {
    if (c == '`') code = !code;
    if (c == '\n' || c == '\r') {
      out += ' ';
    } else if (in_table && c == '|') {  // splits a row, also inside of `code`
      out += "\\|";
    } else if (!code && c == '<') {
      out += "&lt;";
    } else {
      if (!code && (c == '*' || c == '[' || c == ']')) out += '\\';
      out += c;
    }
  }
  return out;
}

struct MarkdownWriter {
  std::string out;

  void operator()(const Heading& heading) {
    out += fmt::format("{} {}\n\n", std::string(static_cast<std::size_t>(heading.level), '#'),
                       escape(heading.text));
  }
  void operator()(const Paragraph& paragraph) { out += escape(paragraph.text) + "\n\n"; }
  void operator()(const Notice& notice) { out += fmt::format("> **{}**\n\n", escape(notice.text)); }
  void operator()(const List& list) {
    for (const std::string& item : list.items) out += fmt::format("- {}\n", escape(item));
    out += "\n";
  }
  void operator()(const Links& links) {
    for (const std::string& path : links.paths) out += fmt::format("- [{}]({})\n", escape(path), path);
    out += "\n";
  }
  void operator()(const Preformatted& block) { out += fmt::format("```\n{}\n```\n\n", block.text); }
  void operator()(const Table& table) {
    std::string head = "|";
    std::string rule = "|";
    for (const Column& column : table.columns) {
      head += fmt::format(" {} |", escape(column.title, true));
      rule += column.numeric ? "---:|" : "---|";
    }
    out += fmt::format("{}\n{}\n", head, rule);
    for (const auto& row : table.rows) {
      out += "|";
      for (const std::string& cell : row) out += fmt::format(" {} |", escape(cell, true));
      out += "\n";
    }
    out += "\n";
  }
  void operator()(const Figure& figure) {
    out += fmt::format("![{}](charts/{}.svg)\n\n", escape(title_of(figure.chart)), figure.name);
  }
};

}  // namespace

std::string to_markdown(const Document& document) {
  MarkdownWriter writer;
  writer.out = fmt::format("# {}\n\n", escape(document.title));
  for (const Block& block : document.blocks) std::visit(writer, block);
  writer.out.pop_back();  // one newline at the end of the file
  return writer.out;
}

}  // namespace sxb::report
