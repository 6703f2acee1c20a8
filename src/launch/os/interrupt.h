// Ctrl-C and SIGTERM, counted: the first asks for an orderly end, the second for an immediate one.
#pragma once

namespace sxb::launch {

/// From now on SIGINT, SIGTERM and SIGHUP do not end the process but are counted; they interrupt
/// blocking calls. A SIGHUP that was ignored before stays so: that is what nohup asks for.
void count_interrupts();
int interrupts();

}  // namespace sxb::launch
