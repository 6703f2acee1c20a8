#include "launch/transport/transport.h"

namespace sxb::launch {

const char* to_string(Loss::Class kind) {
  switch (kind) {
    case Loss::Class::kUnreachable:
      return "unreachable";
    case Loss::Class::kHostKey:
      return "host_key";
    case Loss::Class::kAuth:
      return "auth";
    case Loss::Class::kNotInstalled:
      return "not_installed";
    case Loss::Class::kConnectionLost:
      return "connection_lost";
    case Loss::Class::kNoAnswer:
      return "no_answer";
    case Loss::Class::kOther:
      break;
  }
  return "transport";
}

}  // namespace sxb::launch
