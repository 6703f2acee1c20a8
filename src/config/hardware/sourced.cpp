#include "config/hardware/sourced.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"

namespace sxb::config {

void Sources::read_texts(ObjectReader reader) {
  for (const auto& item : reader.json().items())
    reader.text(item.key().c_str(), texts_[item.key()], Need::kRequired);
  reader.finish();
}

void Sources::read_kinds(ObjectReader reader) {
  enum class Kind { kPublished, kDerived, kMeasured };
  static constexpr EnumName<Kind> kKinds[] = {
      {Kind::kPublished, "published"}, {Kind::kDerived, "derived"}, {Kind::kMeasured, "measured"}};
  for (const auto& item : reader.json().items()) {
    ObjectReader source = reader.child(item.key().c_str());
    Kind kind = Kind::kPublished;
    std::string said;
    source.choice("kind", kind, kKinds);
    source.text("text", said, Need::kRequired);
    source.finish();
    texts_[item.key()] = fmt::format("{}: {}", enum_name(kKinds, kind), said);
  }
  reader.finish();
}

std::string Sources::text(ObjectReader& reader) const {
  std::string key;
  reader.text("source", key, Need::kRequired);
  if (key.empty()) return "";
  const auto it = texts_.find(key);
  if (it != texts_.end()) return it->second;
  std::vector<std::string> known;
  for (const auto& [name, ignored] : texts_) known.push_back(name);
  reader.error("source", fmt::format("\"{}\" is not in \"sources\"", key), suggest(key, known));
  return "";
}

void Sources::figure(ObjectReader& parent, const char* key, double& out, double min, double max, Need need,
                     std::map<std::string, std::string>& found, const std::string& name) const {
  if (parent.find(key) == nullptr && need == Need::kOptional) return;
  ObjectReader reader = parent.child(key);
  reader.number("value", out, min, max, Need::kRequired);
  found[name] = text(reader);
  reader.finish();
}

}  // namespace sxb::config
