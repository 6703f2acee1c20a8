# libtorch, CUDA, cuDNN and NCCL as imported targets, from PyPI wheels or any tree of that layout.
#
# Input (cache or environment): SXBENCH_TORCH = the `torch` package folder; SXBENCH_CUDA = a CUDA 13
# toolkit folder with bin/nvcc (default: nvidia/cu13 beside torch, where the wheels put it).
# Output: Libtorch::torch, Libtorch::nccl, Libtorch::cudart, Libtorch::cublaslt, Libtorch::cupti, and
# CMAKE_CUDA_COMPILER.
#
# Not find_package(Torch): that demands a full system toolkit, ignores CMAKE_CUDA_ARCHITECTURES and
# adds rpaths of its own. The wheels' libraries have no unversioned .so links, hence the full names.
set(SXBENCH_TORCH "$ENV{SXBENCH_TORCH}" CACHE PATH "torch package folder (…/site-packages/torch)")
set(SXBENCH_CUDA "$ENV{SXBENCH_CUDA}" CACHE PATH "CUDA 13 toolkit folder with bin/nvcc")
if(NOT EXISTS "${SXBENCH_TORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "libtorch not found at SXBENCH_TORCH='${SXBENCH_TORCH}'.\n"
    "Run scripts/setup.sh and build with scripts/quickstart.sh or scripts/test.sh, or pass "
    "-DSXBENCH_TORCH=…/site-packages/torch. Without libtorch: cmake --preset core.")
endif()
get_filename_component(libtorch_wheels "${SXBENCH_TORCH}/../nvidia" ABSOLUTE)
if(NOT SXBENCH_CUDA)
  set(SXBENCH_CUDA "${libtorch_wheels}/cu13" CACHE PATH "CUDA 13 toolkit folder with bin/nvcc" FORCE)
endif()

if(NOT CMAKE_CUDA_COMPILER)
  if(NOT EXISTS "${SXBENCH_CUDA}/bin/nvcc")
    message(FATAL_ERROR "nvcc not found in SXBENCH_CUDA='${SXBENCH_CUDA}/bin'. Run scripts/setup.sh, "
      "or pass -DSXBENCH_CUDA=/usr/local/cuda (CUDA 13).")
  endif()
  set(CMAKE_CUDA_COMPILER "${SXBENCH_CUDA}/bin/nvcc")
endif()
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
