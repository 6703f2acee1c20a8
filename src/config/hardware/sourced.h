// Figures with a source: {"value": 0.82, "source": "ring"}, where "ring" stands in the file's table of
// sources.
#pragma once

#include <map>
#include <string>

#include "config/reader.h"

namespace sxb::config {

class Sources {
 public:
  /// Plain texts: {"gh100": "..."}.
  void read_texts(ObjectReader reader);
  /// With their kind: {"ring": {"kind": "published", "text": "..."}}; published, derived or measured.
  void read_kinds(ObjectReader reader);

  /// Reads `key` of `parent`, and the text of its source into `found` under `name`.
  void figure(ObjectReader& parent, const char* key, double& out, double min, double max, Need need,
              std::map<std::string, std::string>& found, const std::string& name) const;
  /// The key "source" of `reader`: its text, or "" and an error.
  std::string text(ObjectReader& reader) const;

 private:
  std::map<std::string, std::string> texts_;
};

}  // namespace sxb::config
