# Imported target Sodium::sodium: libsodium, 1.0.18 (Ubuntu 22.04, Debian 12) or newer.
include(SxbLibrary)
sxb_find_library(Sodium sodium.h sodium libsodium-dev)
