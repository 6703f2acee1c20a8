#include <fmt/format.h>

#include "base/text.h"
#include "report/document/document.h"

namespace sxb::report {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #111827; background: #ffffff; max-width: 1280px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #e5e7eb; padding-bottom: .2rem; }
nav { background: #f9fafb; border: 1px solid #e5e7eb; border-radius: 6px; padding: .4rem 1rem; }
nav ul { columns: 2; margin: .3rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; margin: .6rem 0; }
th, td { border: 1px solid #e5e7eb; padding: .25rem .55rem; text-align: left; vertical-align: top; white-space: nowrap; }
th { background: #f3f4f6; white-space: normal; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.long { white-space: normal; min-width: 16rem; }
td.pass { color: #047857; font-weight: 600; } td.fail { color: #b91c1c; font-weight: 600; }
td.warn { color: #b45309; font-weight: 600; } td.none { color: #6b7280; }
.notice { border-left: 4px solid #d97706; background: #fffbeb; padding: .6rem 1rem; font-weight: 600; }
pre { background: #f3f4f6; padding: .6rem; overflow-x: auto; font-size: 12px; } code { background: #f3f4f6; padding: 0 .2em; }
figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
@page { size: A4 landscape; margin: 12mm; }
@media print {
  body { max-width: none; margin: 0; } nav { display: none; } h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; } table { font-size: 9px; } th, td { padding: .1rem .3rem; }
  tr, figure { break-inside: avoid; }
}
)";

/// Escaped, with `code` marked up.
std::string inline_text(const std::string& text) {
  std::string out;
  bool code = false;
  for (const char c : escape_xml(text)) {
    if (c != '`') {
      out += c;
      continue;
    }
    out += code ? "</code>" : "<code>";
    code = !code;
  }
  return code ? out + "</code>" : out;
}

/// What marks a cell: the verdict that it is or ends in, or its length, beyond which it may wrap.
std::string style_of(const std::string& text, bool numeric) {
  constexpr std::size_t kLong = 44;
  static const std::pair<const char*, const char*> kVerdicts[] = {
      {"PASS", "pass"}, {"FAIL", "fail"},     {"IMPLAUSIBLE", "fail"},  {"SLOW", "fail"},
      {"WARN", "warn"}, {"UNSTABLE", "warn"}, {"NOT MEASURED", "none"}, {"NOT JUDGED", "none"}};
  std::vector<std::string> classes;
  if (numeric) classes.push_back("n");
  if (text.size() > kLong) classes.push_back("long");
  for (const auto& [verdict, style] : kVerdicts) {
    if (text == verdict || text.ends_with(std::string(" ") + verdict)) classes.push_back(style);
  }
  return classes.empty() ? "" : fmt::format(" class=\"{}\"", join(classes, " "));
}

struct HtmlWriter {
  std::string out;
  int sections = 0;

  void operator()(const Heading& heading) {
    if (heading.level == 2) {
      out += fmt::format("<h2 id=\"s{}\">{}</h2>\n", ++sections, inline_text(heading.text));
    } else {
      out += fmt::format("<h{0}>{1}</h{0}>\n", heading.level, inline_text(heading.text));
    }
  }
  void operator()(const Paragraph& paragraph) {
    out += fmt::format("<p>{}</p>\n", inline_text(paragraph.text));
  }
  void operator()(const Notice& notice) {
    out += fmt::format("<p class=\"notice\">{}</p>\n", inline_text(notice.text));
  }
  void operator()(const List& list) {
    out += "<ul>\n";
    for (const std::string& item : list.items) out += fmt::format("<li>{}</li>\n", inline_text(item));
    out += "</ul>\n";
  }
  void operator()(const Links& links) {
    out += "<ul>\n";
    for (const std::string& path : links.paths)
      out += fmt::format("<li><a href=\"{0}\">{0}</a></li>\n", escape_xml(path));
    out += "</ul>\n";
  }
  void operator()(const Preformatted& block) {
    out += fmt::format("<pre>{}</pre>\n", escape_xml(block.text));
  }
  void operator()(const Table& table) {
    out += "<div class=\"scroll\"><table>\n<thead><tr>";
    for (const Column& column : table.columns) {
      out += fmt::format("<th{}>{}</th>", column.numeric ? " class=\"n\"" : "", inline_text(column.title));
    }
    out += "</tr></thead>\n<tbody>\n";
    for (const auto& row : table.rows) {
      out += "<tr>";
      for (std::size_t i = 0; i < row.size(); ++i) {
        out += fmt::format("<td{}>{}</td>", style_of(row[i], table.columns[i].numeric), inline_text(row[i]));
      }
      out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
  }
  void operator()(const Figure& figure) {
    out += fmt::format("<figure>\n{}</figure>\n", render_svg(figure.chart));
  }
};

std::string contents(const Document& document) {
  std::string out = "<nav><ul>\n";
  int section = 0;
  for (const Block& block : document.blocks) {
    const auto* heading = std::get_if<Heading>(&block);
    if (heading == nullptr || heading->level != 2) continue;
    out += fmt::format("<li><a href=\"#s{}\">{}</a></li>\n", ++section, inline_text(heading->text));
  }
  return out + "</ul></nav>\n";
}

}  // namespace

std::string escape_xml(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string to_html(const Document& document) {
  HtmlWriter writer;
  for (const Block& block : document.blocks) std::visit(writer, block);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>{0}</title>\n<style>{1}</style>\n"
      "</head>\n<body>\n<h1>{0}</h1>\n{2}{3}</body>\n</html>\n",
      escape_xml(document.title), kStyle, contents(document), writer.out);
}

}  // namespace sxb::report
