# Warnings, include paths, ccache and sanitizers for sxbench's own code: the interface target sxb_build.
find_program(SXBENCH_CCACHE ccache)
if(SXBENCH_CCACHE)
  # Paths in the source tree count relative to it: clones in other folders of the machine share results.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} ${SXBENCH_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

add_library(sxb_build INTERFACE)
target_include_directories(sxb_build INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_options(sxb_build INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wold-style-cast;-Wnon-virtual-dtor;-Woverloaded-virtual>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${SXBENCH_WERROR}>>:-Werror>)

# GCC 12 sees overlapping copies in std::string concatenation that are none (GCC bug 105651).
target_compile_options(sxb_build INTERFACE
  $<$<AND:$<COMPILE_LANG_AND_ID:CXX,GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)

set(SXBENCH_SANITIZE "" CACHE STRING "Value for -fsanitize=, e.g. address,undefined")
if(SXBENCH_SANITIZE)
  # The checks that it adds hide from GCC that a std::optional is empty: it takes the value for uninitialized.
  add_compile_options(-fsanitize=${SXBENCH_SANITIZE} -fno-omit-frame-pointer
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  if(SXBENCH_SANITIZE MATCHES undefined)
    # A check at every access of a member takes GCC more than a third of its time; the address sanitizer sees a null
    # pointer too, and x86 bears unaligned ones.
    add_compile_options(-fno-sanitize=null,alignment,vptr,object-size,returns-nonnull-attribute,nonnull-attribute)
  endif()
  add_link_options(-fsanitize=${SXBENCH_SANITIZE})
endif()

option(SXBENCH_UNITY "Compile the sources of a room as one unit: a third of the build time" ON)

# sxb_unity(target): compiles the sources of each folder of the target as one unit. Most of a unit's time goes into
# headers, so names in anonymous namespaces are unique within a folder.
function(sxb_unity target)
  if(NOT SXBENCH_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # In an included file GCC takes every type of an anonymous namespace for one that other units see.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    cmake_path(IS_ABSOLUTE source generated)
    cmake_path(GET source PARENT_PATH folder)
    if(NOT generated AND source MATCHES "[.]cpp$")
      string(MAKE_C_IDENTIFIER "${target}_${folder}" group)
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
    endif()
  endforeach()
endfunction()

# sxb_module(name SOURCES ... DEPS ...): one static library per folder of src/. DEPS are the modules
# it may include (docs/architecture.md: who may include whom).
function(sxb_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(sxb_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(sxb_${name} PRIVATE sxb_build PUBLIC ${ARG_DEPS})
  sxb_unity(sxb_${name})
endfunction()

# sxb_test(name SOURCES ... DEPS ... [LABELS ...]): one GoogleTest executable per module. Tests of the
# engine compute references and are optimised; the others are not, and as in a room their sources are compiled together
# and names in anonymous namespaces are unique. What they test is compiled as in the product.
function(sxb_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name}_test ${ARG_SOURCES})
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name}_test PRIVATE sxb_build ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name}_test PRIVATE
    SXB_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/fixtures" SXB_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  set(labels ${ARG_LABELS})
  if(NOT labels)
    set(labels unit)
  endif()
  if(NOT "engine" IN_LIST labels AND NOT "gpu" IN_LIST labels)
    target_compile_options(${name}_test PRIVATE -O0)
    if(SXBENCH_UNITY)
      set_target_properties(${name}_test PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    endif()
  endif()
  gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES LABELS "${labels}" TIMEOUT 300)
endfunction()
