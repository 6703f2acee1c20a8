# libtorch, CUDA, cuDNN and NCCL as imported targets, from PyPI wheels or any tree of that layout.
#
# Input (-D or environment): SXBENCH_TORCH = the `torch` package folder; SXBENCH_CUDA = a CUDA 13
# toolkit folder with bin/nvcc (default: nvidia/cu13 beside torch, where the wheels put it).
# Output: Libtorch::torch, Libtorch::nccl, Libtorch::cudart, Libtorch::cublaslt, Libtorch::cupti, and
# CMAKE_CUDA_COMPILER.
#
# Not find_package(Torch): that demands a full system toolkit, ignores CMAKE_CUDA_ARCHITECTURES and
# adds rpaths of its own. The wheels' libraries have no unversioned .so links, hence the full names.

# libtorch_setting(NAME DEFAULT DOC): NAME from -D; else from the environment, which is read again at every
# configuration, so that a changed value counts; else DEFAULT. Where the environment has none (Ninja calls
# cmake from another shell), the last value stays.
function(libtorch_setting name default doc)
  set(value "$CACHE{${name}}")
  set(origin "$CACHE{${name}_ORIGIN}")
  if(value STREQUAL "")
    set(origin default)
  elseif(NOT value STREQUAL "$CACHE{${name}_LAST}")
    set(origin option)
  endif()
  if(NOT origin STREQUAL "option" AND NOT "$ENV{${name}}" STREQUAL "")
    set(value "$ENV{${name}}")
    set(origin environment)
  elseif(origin STREQUAL "default")
    set(value "${default}")
  elseif(NOT "$ENV{${name}}" STREQUAL "" AND NOT "$ENV{${name}}" STREQUAL value)
    message(WARNING "${name}=${value}, given to cmake with -D, is used; the environment's '$ENV{${name}}' is not. "
      "cmake -U ${name} forgets the former.")
  endif()
  set(${name} "${value}" CACHE PATH "${doc}" FORCE)
  set(${name}_LAST "${value}" CACHE INTERNAL "${name} of the last configuration")
  set(${name}_ORIGIN "${origin}" CACHE INTERNAL "where ${name} came from")
endfunction()

# libtorch_reject(NAME MESSAGE...): ends the configuration, and the next one does not remember NAME.
function(libtorch_reject name)
  unset(${name} CACHE)
  unset(${name}_LAST CACHE)
  unset(${name}_ORIGIN CACHE)
  list(JOIN ARGN "" message)
  message(FATAL_ERROR "${message}")
endfunction()

libtorch_setting(SXBENCH_TORCH "" "torch package folder (…/site-packages/torch)")
if(NOT EXISTS "${SXBENCH_TORCH}/lib/libtorch_cpu.so")
  libtorch_reject(SXBENCH_TORCH "libtorch not found at SXBENCH_TORCH='${SXBENCH_TORCH}'.\n"
    "Run scripts/setup.sh and build with scripts/quickstart.sh or scripts/test.sh, or pass "
    "-DSXBENCH_TORCH=…/site-packages/torch. Without libtorch: cmake --preset core.")
endif()
get_filename_component(libtorch_wheels "${SXBENCH_TORCH}/../nvidia" ABSOLUTE)
libtorch_setting(SXBENCH_CUDA "${libtorch_wheels}/cu13" "CUDA 13 toolkit folder with bin/nvcc")

set(libtorch_nvcc "${SXBENCH_CUDA}/bin/nvcc")
if(NOT EXISTS "${libtorch_nvcc}")
  libtorch_reject(SXBENCH_CUDA "nvcc not found in SXBENCH_CUDA='${SXBENCH_CUDA}/bin'. Run scripts/setup.sh, "
    "or pass -DSXBENCH_CUDA=/usr/local/cuda (CUDA 13).")
endif()
execute_process(COMMAND "${libtorch_nvcc}" --version OUTPUT_VARIABLE libtorch_nvcc_version
  RESULT_VARIABLE libtorch_nvcc_result ERROR_QUIET)
if(NOT libtorch_nvcc_result EQUAL 0 OR NOT libtorch_nvcc_version MATCHES "release ([0-9]+)" OR CMAKE_MATCH_1 LESS 13)
  libtorch_reject(SXBENCH_CUDA "SXBENCH_CUDA='${SXBENCH_CUDA}': bin/nvcc does not say that it is CUDA 13 or newer. "
    "Run scripts/setup.sh, or pass -DSXBENCH_CUDA=/usr/local/cuda (CUDA 13).")
endif()
# CMake keeps what it found out about the compiler of the last configuration, also of one that failed, and
# would take that compiler again.
if(NOT libtorch_nvcc STREQUAL "$CACHE{SXBENCH_NVCC_LAST}")
  file(REMOVE "${CMAKE_BINARY_DIR}/CMakeFiles/${CMAKE_VERSION}/CMakeCUDACompiler.cmake")
  unset(CMAKE_CUDA_COMPILER CACHE)
  unset(CMAKE_CUDA_ABI_COMPILED CACHE)
  set(SXBENCH_NVCC_LAST "${libtorch_nvcc}" CACHE INTERNAL "the CUDA compiler of the last configuration")
endif()
set(CMAKE_CUDA_COMPILER "${libtorch_nvcc}")

# The wheels have lib where nvcc looks in lib64. Without this CMake's test of the compiler does not link,
# except on machines that have libcudadevrt of another CUDA in /usr/local/lib.
if(NOT EXISTS "${SXBENCH_CUDA}/lib64" AND NOT CMAKE_CUDA_FLAGS MATCHES "-L")
  set(CMAKE_CUDA_FLAGS "${CMAKE_CUDA_FLAGS} -L${SXBENCH_CUDA}/lib")
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 90a CACHE STRING "GPU architectures of sxbench's kernels")
endif()

# The first of the candidate files that exists.
function(libtorch_first_of out)
  foreach(candidate ${ARGN})
    if(EXISTS "${candidate}")
      set(${out} "${candidate}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "none of these exists: ${ARGN}")
endfunction()

function(libtorch_import target file)
  add_library(${target} SHARED IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION "${file}" IMPORTED_NO_SONAME OFF)
endfunction()

# Headers of the toolkit that torch was built for: the wheels' when they are there.
libtorch_first_of(libtorch_cuda_include "${libtorch_wheels}/cu13/include" "${SXBENCH_CUDA}/include")
libtorch_first_of(libtorch_cudart "${libtorch_wheels}/cu13/lib/libcudart.so.13" "${SXBENCH_CUDA}/lib64/libcudart.so.13")
libtorch_first_of(libtorch_nccl "${libtorch_wheels}/nccl/lib/libnccl.so.2")
libtorch_first_of(libtorch_cublaslt "${libtorch_wheels}/cu13/lib/libcublasLt.so.13" "${SXBENCH_CUDA}/lib64/libcublasLt.so.13")
libtorch_first_of(libtorch_cupti "${libtorch_wheels}/cu13/lib/libcupti.so.13"
  "${SXBENCH_CUDA}/extras/CUPTI/lib64/libcupti.so.13" "${SXBENCH_CUDA}/lib64/libcupti.so.13")

libtorch_import(Libtorch::cudart "${libtorch_cudart}")
target_include_directories(Libtorch::cudart SYSTEM INTERFACE "${libtorch_cuda_include}")
libtorch_import(Libtorch::cublaslt "${libtorch_cublaslt}")
libtorch_import(Libtorch::cupti "${libtorch_cupti}")
target_include_directories(Libtorch::cupti SYSTEM INTERFACE "${libtorch_cuda_include}")
libtorch_import(Libtorch::nccl "${libtorch_nccl}")
target_include_directories(Libtorch::nccl SYSTEM INTERFACE "${libtorch_wheels}/nccl/include" "${libtorch_cuda_include}")

foreach(lib c10 torch_cpu c10_cuda torch_cuda)
  libtorch_import(Libtorch::${lib} "${SXBENCH_TORCH}/lib/lib${lib}.so")
endforeach()
add_library(Libtorch::torch INTERFACE IMPORTED GLOBAL)
target_include_directories(Libtorch::torch SYSTEM INTERFACE
  "${SXBENCH_TORCH}/include" "${SXBENCH_TORCH}/include/torch/csrc/api/include"
  "${libtorch_wheels}/cudnn/include" "${libtorch_cuda_include}")
target_compile_definitions(Libtorch::torch INTERFACE USE_DISTRIBUTED USE_C10D_NCCL)
# torch_cuda registers its kernels in static initialisers: nothing references it by name, so the
# linker must be told to keep it.
target_link_libraries(Libtorch::torch INTERFACE -Wl,--no-as-needed
  Libtorch::torch_cuda Libtorch::torch_cpu Libtorch::c10_cuda Libtorch::c10 -Wl,--as-needed)
set(SXBENCH_TORCH_LIB "${SXBENCH_TORCH}/lib")
set(Libtorch_FOUND TRUE)
