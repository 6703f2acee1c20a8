// What was built: the build id that head and workers compare before they talk.
#pragma once

#include <string>

namespace sxb {

const char* version();          ///< "0.1.0"
const std::string& build_id();  ///< version + source revision ("-dirty" when so) + compiler
/// Version of the `:::SXB` wire protocol and of the record schema; raise it when either changes.
inline constexpr int kProtocolVersion = 2;

}  // namespace sxb
