# `cmake --install BUILD --prefix X`: a tree that may be moved or copied to other machines as a whole.
#   bin/sxbench  lib/libsxbench_engine.so  lib/<the distribution's libraries>  share/sxbench/configs
# Component libtorch, installed only when asked for: the run-time libraries of libtorch, CUDA and NCCL
# in lib/libtorch, for machines without the wheel cache. See docs/install.md.
install(DIRECTORY configs DESTINATION share/sxbench)
# As in the repository, so that the pages' links lead somewhere; of the recorded runs what people read.
install(FILES README.md LICENSE CHANGELOG.md CONTRIBUTING.md DESTINATION share/doc/sxbench)
install(DIRECTORY docs DESTINATION share/doc/sxbench
  FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "performance.csv")
install(FILES scripts/slurm/sxbench.sbatch DESTINATION share/doc/sxbench/scripts/slurm)

set(sxb_installed sxbench)
set_target_properties(sxbench PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
if(SXBENCH_ENGINE)
  list(APPEND sxb_installed sxbench_engine)
  get_filename_component(sxb_site "${SXBENCH_TORCH}" DIRECTORY)
  # An engine that does not find libtorch says where it looked.
  set_source_files_properties(src/launch/node/engine_error.cpp DIRECTORY src/launch
    PROPERTIES COMPILE_DEFINITIONS "SXB_WHEELS=\"${sxb_site}\"")
  set(sxb_rpath "$ORIGIN")
  foreach(site "$ORIGIN/libtorch" "${sxb_site}")  # the tree's own copy first, then the wheel cache
    list(APPEND sxb_rpath "${site}/torch/lib" "${site}/nvidia/nccl/lib" "${site}/nvidia/cu13/lib")
  endforeach()
  set_target_properties(sxbench_engine PROPERTIES INSTALL_RPATH "${sxb_rpath}")
  foreach(folder torch/lib nvidia/cu13/lib nvidia/cudnn/lib nvidia/cusparselt/lib nvidia/nccl/lib nvidia/nvshmem/lib)
    install(DIRECTORY "${sxb_site}/${folder}/" DESTINATION lib/libtorch/${folder}
      COMPONENT libtorch EXCLUDE_FROM_ALL FILES_MATCHING PATTERN "*.so*" PATTERN libtorch_python.so EXCLUDE)
  endforeach()
endif()

foreach(target ${sxb_installed})
  # DT_RPATH, not DT_RUNPATH: it also serves the libraries that ours load, and LD_LIBRARY_PATH cannot
  # put another CUDA or cuDNN in their place.
  target_link_options(${target} PRIVATE -Wl,--disable-new-dtags)
endforeach()

# The distribution's libraries (fmt, spdlog, sentencepiece, Gloo ...) have other versions on other
# distributions, so they travel with the tree. Not so the C and C++ run-time libraries, and not
# libibverbs: NCCL must find the one that fits the node's network driver.
install(TARGETS ${sxb_installed} RUNTIME_DEPENDENCY_SET sxb_libraries
  RUNTIME DESTINATION bin LIBRARY DESTINATION lib)
install(RUNTIME_DEPENDENCY_SET sxb_libraries
  PRE_EXCLUDE_REGEXES "^lib(torch|c10|cudart|cublas|nccl)"
    "^lib(ibverbs|nl-)" "^ld-linux" "^lib(c|m|dl|rt|pthread|gcc_s|stdc\\+\\+|gomp)\\.so"
  LIBRARY DESTINATION lib)
