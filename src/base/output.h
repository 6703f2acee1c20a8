// Standard output and standard error, by write(2): whoever reads there may go away, a disk may be full, the
// descriptor may be closed, and none of it ends a process. A library that prints would throw, or lose it
// unseen.
#pragma once

#include <string_view>

namespace sxb {

/// What cannot be written is dropped: there is nobody to be told.
void write_stderr(std::string_view text);

/// Whether stderr takes text just now: a terminal that is stopped (Ctrl-S) does not.
bool stderr_is_ready();

/// After a first failure nothing more is written: half a document is seen to be one, one with a hole is not.
void write_stdout(std::string_view text);

/// errno of the write to stdout that failed since the last call. 0: none did, or its reader went away, who
/// has all that it wanted (`| head -1`), or a signal ended the wait for one that reads nothing.
int take_stdout_error();

}  // namespace sxb
