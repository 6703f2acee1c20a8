#include "launch/os/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace sxb::launch {
namespace {

volatile std::sig_atomic_t g_interrupts = 0;

void on_signal(int) { g_interrupts = g_interrupts + 1; }

}  // namespace

void count_interrupts() {
  g_interrupts = 0;
  struct sigaction action = {};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before = {};
    const bool known = ::sigaction(signal, nullptr, &before) == 0;
    if (signal == SIGHUP && known && before.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, nullptr);
  }
}

int interrupts() { return g_interrupts; }

}  // namespace sxb::launch
