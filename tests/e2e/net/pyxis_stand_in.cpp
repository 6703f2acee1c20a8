// A SPANK plugin with the options of Pyxis that sxbench passes on, and no container: each slurmstepd that
// starts a step writes what reached it to DIR/NODE.pyxis, an option a line. plugstack.conf gives DIR.
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>

extern "C" {
#include <slurm/spank.h>

// Slurm looks them up; without this a constant of C++ stays within its file.
extern const char plugin_name[], plugin_type[];
extern const unsigned int plugin_version, spank_plugin_version;
}

namespace {

std::string folder;

int record(int which, const char* value, int remote);

std::array<spank_option, 3> options = {{
    {const_cast<char*>("container-image"), const_cast<char*>("IMAGE"), const_cast<char*>("as Pyxis"), 1, 0,
     record},
    {const_cast<char*>("container-mounts"), const_cast<char*>("LIST"), const_cast<char*>("as Pyxis"), 1, 1,
     record},
    {const_cast<char*>("container-writable"), nullptr, const_cast<char*>("as Pyxis"), 0, 2, record},
}};

int record(int which, const char* value, int remote) {
  if (remote == 0) return ESPANK_SUCCESS;
  char node[256] = "";
  ::gethostname(node, sizeof node - 1);
  std::ofstream(folder + "/" + node + ".pyxis", std::ios::app)
      << options[static_cast<std::size_t>(which)].name << "=" << (value != nullptr ? value : "") << "\n";
  return ESPANK_SUCCESS;
}

}  // namespace

extern "C" {

SPANK_PLUGIN(pyxis_stand_in, 1)

int slurm_spank_init(spank_t spank, int count, char** words) {
  if (count > 0) folder = words[0];
  for (spank_option& option : options) {
    if (spank_option_register(spank, &option) != ESPANK_SUCCESS) return -1;
  }
  return 0;
}
}
