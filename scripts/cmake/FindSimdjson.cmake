# Imported target Simdjson::simdjson: the distribution's libsimdjson, 1.0 (Ubuntu 22.04) or newer.
find_path(Simdjson_INCLUDE_DIR simdjson.h)
find_library(Simdjson_LIBRARY simdjson)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Simdjson
  REQUIRED_VARS Simdjson_LIBRARY Simdjson_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install libsimdjson-dev (scripts/setup.sh does it)")
if(Simdjson_FOUND AND NOT TARGET Simdjson::simdjson)
  add_library(Simdjson::simdjson UNKNOWN IMPORTED)
  set_target_properties(Simdjson::simdjson PROPERTIES IMPORTED_LOCATION "${Simdjson_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${Simdjson_INCLUDE_DIR}")
endif()
