# Imported target SentencePiece::sentencepiece: the distribution's libsentencepiece (processor only).
# as-needed, because only programs that tokenise need it: the engine links sxb_data for its readers alone.
find_path(SentencePiece_INCLUDE_DIR sentencepiece_processor.h)
find_library(SentencePiece_LIBRARY sentencepiece)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(SentencePiece
  REQUIRED_VARS SentencePiece_LIBRARY SentencePiece_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install libsentencepiece-dev (scripts/setup.sh does it)")
if(SentencePiece_FOUND AND NOT TARGET SentencePiece::sentencepiece)
  add_library(SentencePiece::sentencepiece INTERFACE IMPORTED)
  target_include_directories(SentencePiece::sentencepiece SYSTEM INTERFACE ${SentencePiece_INCLUDE_DIR})
  target_link_libraries(SentencePiece::sentencepiece INTERFACE
    -Wl,--push-state,--as-needed ${SentencePiece_LIBRARY} -Wl,--pop-state)
endif()
