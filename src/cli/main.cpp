#include "base/process_start.h"
#include "cli/app.h"

int main(int argc, char** argv) {
  sxb::prepare_process();
  return sxb::cli::run_app(argc, argv);
}
