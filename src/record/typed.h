// Records as structs: the members of a kind's struct (src/record/kinds) are its fields. A field that a record
// lacks, or that has a value of another type, reads as not there: it was not measured, and is never zero.
#pragma once

#include <string>
#include <vector>

#include "record/field.h"
#include "record/record.h"

namespace sxb::record {

/// The fields of `data`, the data of a record of kind T::kKind.
template <typename T>
T read(const Json& data);
template <typename T>
T read(const Record& record) {
  return read<T>(record.data);
}

/// The data of a record, in the order of the table.
template <typename T>
Json write(const T& fields);

/// A record without origin and clocks.
template <typename T>
Record make(const T& fields) {
  Record record;
  record.kind = T::kKind;
  record.data = write(fields);
  return record;
}

/// The rows of one kind. Those of all kinds: fields().
template <typename T>
const std::vector<Field>& fields_of();

/// The row of a member: row_of(&Step::loss).name is "loss".
template <typename T>
Row row_at(const T& fields, const void* member);
template <typename T, typename Member>
Row row_of(Member T::*member) {
  const T fields{};
  return row_at(fields, &(fields.*member));
}

/// Names of the fields in `data` that are not of the type of the table: "loss", "gpus/3/index".
template <typename T>
std::vector<std::string> misfits(const Json& data);

}  // namespace sxb::record
