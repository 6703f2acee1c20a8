// What is known of a field beside its value: how it is printed, and what it means.
#pragma once

#include <string>
#include <vector>

namespace sxb::record {

/// How a value is printed.
enum class Hint {
  kText,
  kCount,
  kBytes,
  kSeconds,
  kMilliseconds,
  kMicroseconds,
  kGBps,
  kPercent,
  kRatio,
  kWatt,
  kCelsius,
  kMegahertz,
  kNanoseconds,
  kFlag,
  kNumber
};

/// What is written of a value that is not there: an empty optional, text or list.
enum class Absent {
  kDefault,  ///< an optional is left out; text and lists are written though empty
  kLeftOut,
  kNull
};

/// A row of the table of fields: name in JSON, unit, meaning.
struct Row {
  const char* name;
  const char* unit;  ///< "us", "GB/s", "" ...
  Hint hint;
  const char* description;  ///< one sentence, with the source of a formula
  Absent absent = Absent::kDefault;
};

struct Field : Row {
  const char* kind;            ///< "" in `members`
  std::string type;            ///< "text", "integer", "number", "flag", "object", "list of ..."
  std::vector<Field> members;  ///< fields of the object, or of each object of the list
};

}  // namespace sxb::record
