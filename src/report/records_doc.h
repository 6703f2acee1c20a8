// docs/records.md, from the field table and the figure table; a test holds the page against it.
#pragma once

#include <string>

namespace sxb::report {

std::string records_page();

}  // namespace sxb::report
