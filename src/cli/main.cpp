#include "cli/app.h"

int main(int argc, char** argv) { return sxb::cli::run_app(argc, argv); }
