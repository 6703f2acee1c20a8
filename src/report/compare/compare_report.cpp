#include "report/compare/compare_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "base/text.h"
#include "report/document/document.h"
#include "report/document/format.h"

namespace sxb::report {
namespace {

using analysis::Compared;
using analysis::Comparison;
using analysis::Judgement;

// ---- rows, folded or not

/// Items of one series, figure and verdict, in their order.
struct Row {
  std::vector<const Compared*> items;

  const Compared& first() const { return *items.front(); }
  /// The one that stands for all: the largest change.
  const Compared& worst() const {
    return **std::max_element(items.begin(), items.end(), [](const Compared* x, const Compared* y) {
      return std::abs(x->change.value_or(0)) < std::abs(y->change.value_or(0));
    });
  }
  std::string what() const {
    const Compared& item = first();
    std::vector<std::string> parts = {fmt::format("{} {}", item.section, item.series)};
    if (!item.variant.empty()) parts.push_back(item.variant);
    if (items.size() > 1) {
      parts.push_back(fmt::format("{} to {}", item.member, items.back()->member));
    } else if (!item.member.empty()) {
      parts.push_back(item.member);
    }
    if (!item.series.starts_with(item.figure)) parts.push_back(item.figure);
    return join(parts, ", ");
  }
  std::string why() const {
    if (items.size() == 1) return first().reason;
    const Compared& item = worst();
    return fmt::format("{} rows, {} {}: {}", items.size(), item.change ? "most at" : "first", item.member,
                       item.reason);
  }
};

std::vector<Row> rows_of(const Comparison& comparison, bool all) {
  std::vector<Row> rows;
  std::map<std::string, std::size_t> index;
  for (const Compared& item : comparison.items) {
    if (!all && item.judgement == Judgement::kSame) continue;
    const std::string key = join(
        {analysis::to_string(item.judgement), item.section, item.series, item.variant, item.figure}, "\n");
    const auto [it, added] = index.emplace(key, rows.size());
    if (added || all) {
      rows.push_back({{&item}});
    } else {
      rows[it->second].items.push_back(&item);
    }
  }
  return rows;
}

const std::vector<Column>& columns() {
  static const std::vector<Column> list = {{"verdict"}, {"figure"}, {"A", true},
                                           {"B", true}, {"unit"},   {"change of B, 95 % interval"}};
  return list;
}

std::vector<std::vector<std::string>> cells_of(const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> cells;
  for (const Row& row : rows) {
    const Compared& shown = row.worst();
    cells.push_back({analysis::to_string(shown.judgement), row.what(), cell(shown.a.value),
                     cell(shown.b.value), shown.unit, row.why()});
  }
  return cells;
}

/// Each note once, with how many figures it holds for.
std::vector<std::string> notes_of(const Comparison& comparison) {
  std::vector<std::pair<std::string, int>> notes;
  for (const Compared& item : comparison.items) {
    if (item.note.empty()) continue;
    const auto it =
        std::find_if(notes.begin(), notes.end(), [&](const auto& known) { return known.first == item.note; });
    if (it == notes.end()) {
      notes.emplace_back(item.note, 1);
    } else {
      ++it->second;
    }
  }
  std::vector<std::string> lines;
  for (const auto& [note, count] : notes) {
    lines.push_back(fmt::format("{} figure{}: {}", count, count == 1 ? "" : "s", note));
  }
  return lines;
}

std::string counts_text(const Comparison& comparison) {
  std::vector<std::string> parts;
  for (const Judgement judgement : analysis::kJudgements) {
    if (judgement == Judgement::kNotJudged && comparison.count(judgement) == 0) continue;
    parts.push_back(fmt::format("{} {}", comparison.count(judgement), analysis::to_string(judgement)));
  }
  return fmt::format("{} (threshold {:g} %)", join(parts, ", "), comparison.threshold * 100);
}

std::vector<std::string> runs_text(const analysis::Side& side) {
  std::vector<std::string> lines;
  for (const auto& run : side) {
    lines.push_back(fmt::format("{}, {}", run->dataset.asked.run_id, format_utc(run->dataset.start_wall_ns)));
  }
  return lines;
}

// ---- the terminal

/// Characters of UTF-8 text, which is what a terminal's columns count.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// Columns two spaces apart, the last one not padded.
std::string align(const std::vector<Column>& columns, std::vector<std::vector<std::string>> rows) {
  std::vector<std::string> titles;
  for (const Column& column : columns) titles.push_back(column.title);
  rows.insert(rows.begin(), titles);
  std::vector<std::size_t> widths(columns.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width_of(row[i]), ' ');
      const bool last = i + 1 == row.size();
      line += columns[i].numeric ? padding + row[i] : row[i] + (last ? "" : padding);
      if (!last) line += "  ";
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

/// The clauses of a text: what ends in ", " or "; ".
std::vector<std::string> clauses_of(const std::string& text) {
  std::vector<std::string> clauses(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    clauses.back() += text[i];
    if (text[i] == ' ' && i > 0 && (text[i - 1] == ',' || text[i - 1] == ';')) clauses.emplace_back();
  }
  return clauses;
}

/// Leaves out of two texts the clauses with which both begin: "…, 13 of 15 products tuned".
void leave_out_what_is_common(std::string& a, std::string& b) {
  const std::vector<std::string> in_a = clauses_of(a);
  const std::vector<std::string> in_b = clauses_of(b);
  std::size_t same = 0;
  while (same + 1 < std::min(in_a.size(), in_b.size()) && in_a[same] == in_b[same]) ++same;
  if (same == 0) return;
  a = "… " + join({in_a.begin() + static_cast<std::ptrdiff_t>(same), in_a.end()}, "");
  b = "… " + join({in_b.begin() + static_cast<std::ptrdiff_t>(same), in_b.end()}, "");
}

/// Lines of at most `width` characters, broken at spaces; longer words keep a line of their own.
std::vector<std::string> wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines(1);
  for (const std::string& word : split(text, ' ')) {
    std::string& line = lines.back();
    if (line.empty()) {
      line = word;
    } else if (width_of(line) + 1 + width_of(word) <= width) {
      line += " " + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

std::vector<std::vector<std::string>> fact_rows(const Comparison& comparison) {
  std::vector<std::vector<std::string>> rows;
  for (const analysis::FactChange& change : comparison.facts)
    rows.push_back({change.fact, change.a, change.b});
  return rows;
}

/// For a screen: only what differs of long texts, and that on several lines.
std::vector<std::vector<std::string>> folded_fact_rows(const Comparison& comparison) {
  constexpr std::size_t kWidth = 46;
  std::vector<std::vector<std::string>> rows;
  for (analysis::FactChange change : comparison.facts) {
    if (std::max(width_of(change.a), width_of(change.b)) > kWidth)
      leave_out_what_is_common(change.a, change.b);
    const std::vector<std::string> a = wrap(change.a, kWidth);
    const std::vector<std::string> b = wrap(change.b, kWidth);
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
      rows.push_back({i == 0 ? change.fact : "", i < a.size() ? a[i] : "", i < b.size() ? b[i] : ""});
    }
  }
  return rows;
}

constexpr const char* kNoFacts =
    "Versions, devices, variables and settings are the same, as far as recorded.";

// ---- JSON

Json side_json(const analysis::ComparedSide& side) {
  Json json = {{"value", json_or_null(side.value)}, {"repeats", side.repeats}};
  if (!side.disbelief.empty()) json["disbelief"] = side.disbelief;
  return json;
}

std::optional<double> percent(std::optional<double> ratio) {
  return ratio ? std::optional(*ratio * 100) : std::nullopt;
}

std::optional<double> low_percent(const Compared& item) {
  return item.interval ? percent(item.interval->low) : std::nullopt;
}

std::optional<double> high_percent(const Compared& item) {
  return item.interval ? percent(item.interval->high) : std::nullopt;
}

Json item_json(const Compared& item) {
  return {{"verdict", analysis::to_string(item.judgement)},
          {"section", item.section},
          {"series", item.series},
          {"variant", item.variant},
          {"member", item.member},
          {"figure", item.figure},
          {"unit", item.unit},
          {"higher_is_better", item.higher_is_better},
          {"a", side_json(item.a)},
          {"b", side_json(item.b)},
          {"change_pct", json_or_null(percent(item.change))},
          {"low_pct", json_or_null(low_percent(item))},
          {"high_pct", json_or_null(high_percent(item))},
          {"reason", item.reason},
          {"note", item.note}};
}

Json runs_json(const analysis::Side& side) {
  Json runs = Json::array();
  for (const auto& run : side) {
    runs.push_back(
        {{"run_id", run->dataset.asked.run_id}, {"started", format_utc(run->dataset.start_wall_ns)}});
  }
  return runs;
}

}  // namespace

std::string compare_text(const Comparison& comparison, const Failures& failures, bool all) {
  std::string out;
  for (const auto& [name, side] : {std::pair{"A", comparison.a}, {"B", comparison.b}}) {
    for (const std::string& run : runs_text(*side)) out += fmt::format("{}  {}\n", name, run);
  }
  out += "\n";
  if (comparison.facts.empty()) {
    out += fmt::format("{}\n\n", kNoFacts);
  } else {
    out += align({{"what differs"}, {"A"}, {"B"}}, folded_fact_rows(comparison)) + "\n";
  }
  const std::vector<Row> rows = rows_of(comparison, all);
  if (!rows.empty()) out += align(columns(), cells_of(rows)) + "\n";
  out += counts_text(comparison) + "\n";
  for (const std::string& note : notes_of(comparison)) out += fmt::format("note: {}\n", note);
  for (const std::string& failure : failures) out += fmt::format("FAIL: {}\n", failure);
  return out;
}

std::string compare_markdown(const Comparison& comparison, const Failures& failures, bool all) {
  Document document{"Comparison of two runs", {}};
  List runs;
  for (const auto& [name, side] : {std::pair{"A", comparison.a}, {"B", comparison.b}}) {
    for (const std::string& run : runs_text(*side)) runs.items.push_back(fmt::format("{}: {}", name, run));
  }
  document.add(std::move(runs));
  for (const std::string& failure : failures) document.add(Notice{"FAIL: " + failure});
  document.add(Heading{2, "What differs"});
  if (comparison.facts.empty()) {
    document.add(Paragraph{kNoFacts});
  } else {
    document.add(Table{{{"What"}, {"A"}, {"B"}}, fact_rows(comparison)});
  }
  document.add(Heading{2, "Figures"});
  document.add(Paragraph{counts_text(comparison)});
  const std::vector<Row> rows = rows_of(comparison, all);
  if (!rows.empty()) document.add(Table{columns(), cells_of(rows)});
  const std::vector<std::string> notes = notes_of(comparison);
  if (!notes.empty()) document.add(List{notes});
  return to_markdown(document);
}

std::string compare_csv(const Comparison& comparison) {
  std::string out =
      csv_line({"verdict", "section", "series", "variant", "member", "figure", "unit", "a", "b", "a_repeats",
                "b_repeats", "change_pct", "low_pct", "high_pct", "reason", "note"});
  for (const Compared& item : comparison.items) {
    out +=
        csv_line({analysis::to_string(item.judgement), csv(item.section), csv(item.series), csv(item.variant),
                  csv(item.member), csv(item.figure), csv(item.unit), csv(item.a.value), csv(item.b.value),
                  std::to_string(item.a.repeats), std::to_string(item.b.repeats), csv(percent(item.change)),
                  csv(low_percent(item)), csv(high_percent(item)), csv(item.reason), csv(item.note)});
  }
  return out;
}

Json compare_json(const Comparison& comparison, const Failures& failures) {
  Json facts = Json::array();
  for (const analysis::FactChange& change : comparison.facts) {
    facts.push_back({{"fact", change.fact}, {"a", change.a}, {"b", change.b}});
  }
  Json counts = Json::object();
  for (const Judgement judgement : analysis::kJudgements) {
    counts[analysis::to_string(judgement)] = comparison.count(judgement);
  }
  Json items = Json::array();
  for (const Compared& item : comparison.items) items.push_back(item_json(item));
  return {{"v", 1},
          {"a", runs_json(*comparison.a)},
          {"b", runs_json(*comparison.b)},
          {"threshold_pct", comparison.threshold * 100},
          {"facts", std::move(facts)},
          {"counts", std::move(counts)},
          {"items", std::move(items)},
          {"failures", failures},
          {"ok", failures.empty()}};
}

}  // namespace sxb::report
