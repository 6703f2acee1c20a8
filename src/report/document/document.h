// What a report says, before it is Markdown or HTML. Texts are plain; `code` in backquotes is the only
// markup.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "report/document/chart.h"

namespace sxb::report {

struct Heading {
  int level = 2;
  std::string text;
};
struct Paragraph {
  std::string text;
};
/// Stands out: what the reader must not miss.
struct Notice {
  std::string text;
};
struct List {
  std::vector<std::string> items;
};
/// A list of files, by their path from the report's folder.
struct Links {
  std::vector<std::string> paths;
};
struct Preformatted {
  std::string text;
};
struct Column {
  std::string title;
  bool numeric = false;  ///< right-aligned
};
struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};
struct Figure {
  std::string name;  ///< file stem: charts/<name>.svg
  Chart chart;
};

using Block = std::variant<Heading, Paragraph, Notice, List, Links, Preformatted, Table, Figure>;

struct Document {
  std::string title;
  std::vector<Block> blocks;
  template <typename T>
  void add(T block) {
    blocks.emplace_back(std::move(block));
  }
};

/// GitHub-flavoured Markdown; figures link to charts/<name>.svg.
std::string to_markdown(const Document& document);
/// One self-contained file: styles and charts inside, contents list, no script.
std::string to_html(const Document& document);

/// &, <, >, " as entities.
std::string escape_xml(const std::string& text);

}  // namespace sxb::report
