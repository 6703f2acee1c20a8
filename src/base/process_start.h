// What every process of sxbench does before anything else, so that its surroundings do not end it.
#pragma once

namespace sxb {

/// Descriptors 0 to 2 that are closed belong to /dev/null, or the first files that are opened would be
/// standard output and error, and lines of progress would stand in a journal. A pipe that nobody reads and a
/// file that may not grow (SIGPIPE, SIGXFSZ) are errors of the write. An exception that nothing catches, of a
/// thread or without memory, is one error and exit code 4.
void prepare_process();

}  // namespace sxb
