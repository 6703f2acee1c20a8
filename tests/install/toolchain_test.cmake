# One build tree is configured again and again, as users do who mend what they typed: the toolkit that counts is
# always the last one given, whatever the configurations before found or missed.
set(tree ${WORK}/tree)
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

# A toolkit by another name, and two whose nvcc is none: of CUDA 12, and one that fails when it compiles.
file(CREATE_LINK ${CUDA} ${WORK}/other SYMBOLIC)
function(pretend name version)
  file(WRITE ${WORK}/${name}/bin/nvcc "#!/bin/sh\n[ \"$1\" = --version ] && echo 'release ${version}, V${version}' && exit 0\nexit 1\n")
  file(CHMOD ${WORK}/${name}/bin/nvcc PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
endfunction()
pretend(old 12.4)
pretend(broken 13.0)

# configure(EXPECTED ENVIRONMENT OPTIONS...): with SXBENCH_CUDA=ENVIRONMENT ("" for none). EXPECTED is a toolkit that
# is to be used, or words of the error.
function(configure expected environment)
  set(ENV{SXBENCH_TORCH} ${TORCH})
  set(ENV{SXBENCH_CUDA} "${environment}")
  execute_process(COMMAND ${CMAKE_COMMAND} -G Ninja -S ${SOURCE} -B ${tree} ${ARGN}
    OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
  string(REGEX REPLACE "[ \n]+" " " line "${output}")
  if(IS_DIRECTORY "${expected}")
    set(words "nvcc=${expected}/bin/nvcc abi=ELF")
  else()
    set(words "${expected}")
    if(status EQUAL 0)
      message(SEND_ERROR "SXBENCH_CUDA='${environment}' ${ARGN}: expected an error, but cmake printed:\n${output}")
      return()
    endif()
  endif()
  string(FIND "${line}" "${words}" place)
  if(place EQUAL -1)
    message(SEND_ERROR "SXBENCH_CUDA='${environment}' ${ARGN}: expected '${words}' of:\n${output}")
  endif()
endfunction()

configure("nvcc not found in SXBENCH_CUDA='${WORK}/nowhere/bin'" ${WORK}/nowhere)
configure(${CUDA} ${CUDA})
configure(${CUDA} "")                                          # as Ninja calls cmake
configure(${WORK}/other ${WORK}/other)
configure("does not say that it is CUDA 13" ${WORK}/old)
configure("Configuring incomplete" ${WORK}/broken)              # when CMake tries it
configure(${CUDA} ${CUDA})
configure("nvcc not found" "" -DSXBENCH_CUDA=${WORK}/nowhere)
configure(${CUDA} ${CUDA})
configure(${WORK}/other ${CUDA} -DSXBENCH_CUDA=${WORK}/other)  # -D before the environment, now
configure(${WORK}/other ${CUDA})                               # and at the next call
configure(${CUDA} ${CUDA} -U SXBENCH_CUDA)
configure("libtorch not found at SXBENCH_TORCH='${WORK}/nowhere'" ${CUDA} -DSXBENCH_TORCH=${WORK}/nowhere)
configure(${CUDA} ${CUDA})
