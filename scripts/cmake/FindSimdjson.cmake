# Imported target Simdjson::simdjson: libsimdjson, 1.0 (Ubuntu 22.04) or newer.
include(SxbLibrary)
sxb_find_library(Simdjson simdjson.h simdjson libsimdjson-dev)
