// How the nodes are reached: groups, ssh, Slurm, rendezvous, waits.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "config/cluster/cluster_json.h"

namespace sxb::config {
namespace {

constexpr EnumName<AddressFamily> kFamilies[] = {
    {AddressFamily::kAny, "any"}, {AddressFamily::kIpv4, "ipv4"}, {AddressFamily::kIpv6, "ipv6"}};

/// A list of options for a Slurm command; each is one argument, so nothing in it is split or expanded.
void read_options(ObjectReader& reader, const char* key, std::vector<std::string>& out) {
  const Json* list = reader.find(key);
  if (list == nullptr) return;
  if (!list->is_array()) {
    return reader.error(key, fmt::format("expected an array, found {}", describe(*list)),
                        "write e.g. [\"--gres=gpu:8\"]");
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& entry = (*list)[i];
    if (entry.is_string() && entry.get<std::string>().starts_with("--")) {
      out.push_back(entry.get<std::string>());
    } else {
      reader.element_error(key, i, fmt::format("{} is not an option", describe(entry)),
                           "write each as one word, e.g. \"--gres=gpu:8\"");
    }
  }
}

void read_mounts(ObjectReader& reader, std::vector<std::string>& out) {
  const Json* list = reader.find("container_mounts");
  if (list == nullptr) return;
  if (!list->is_array()) {
    return reader.error("container_mounts", fmt::format("expected an array, found {}", describe(*list)),
                        "write e.g. [\"/raid:/raid\"]");
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& entry = (*list)[i];
    const std::string mount = entry.is_string() ? entry.get<std::string>() : "";
    if (!mount.empty() && mount.find(',') == std::string::npos) {
      out.push_back(mount);
    } else {
      reader.element_error("container_mounts", i, fmt::format("{} is not a mount", describe(entry)),
                           "write \"SRC:DST\" or \"SRC:DST:ro\"; Pyxis separates mounts at commas");
    }
  }
}

/// Pass by pass, since a group may use one that comes later; what is left then has an error.
void resolve_groups(ObjectReader& reader, std::map<std::string, std::string> texts, NodeGroups& out) {
  const auto waits = [&](const std::string& text) {
    const std::vector<std::string> parts = split(text, ',');
    return std::any_of(parts.begin(), parts.end(), [&](const std::string& part) {
      const std::string_view name = trim(part);
      return name.starts_with('@') && texts.count(std::string(name.substr(1))) != 0;
    });
  };
  for (bool progress = true; progress && !texts.empty();) {
    progress = false;
    for (auto it = texts.begin(); it != texts.end();) {
      if (waits(it->second)) {
        ++it;
        continue;
      }
      progress = true;
      auto nodes = expand_node_set(it->second, out);
      if (nodes.ok()) {
        out[it->first] = std::move(nodes).value();
      } else {
        reader.error(it->first, nodes.error().what, nodes.error().help);
      }
      it = texts.erase(it);
    }
  }
  for (const auto& [name, text] : texts) {
    reader.error(name, fmt::format("the group {} contains itself: \"{}\"", name, text), "list its nodes");
  }
}

}  // namespace

std::string to_string(AddressFamily family) { return enum_name(kFamilies, family); }

Result<AddressFamily> parse_family(const std::string& text, const std::string& where) {
  return parse_enum(kFamilies, text, where);
}

void read_groups(ObjectReader reader, NodeGroups& out) {
  std::map<std::string, std::string> texts;
  for (const auto& item : reader.json().items()) {
    const std::string& name = item.key();
    const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '-' || c == '_' || c == '.';
    });
    if (plain) {
      reader.text(name.c_str(), texts[name]);
    } else {
      reader.error(name, fmt::format("\"{}\" is not usable as the name of a group", name),
                   "use letters, digits and - _ .");
    }
  }
  resolve_groups(reader, std::move(texts), out);
}

Json groups_to_json(const NodeGroups& groups) {
  Json json = Json::object();
  for (const auto& [name, nodes] : groups) json[name] = join(nodes, ",");  // keeps their order
  return json;
}

void read_ssh(ObjectReader reader, Ssh& ssh) {
  reader.text("config", ssh.config);
  reader.integer("keepalive_s", ssh.keepalive_s, 1, 3600);
  reader.integer("persist_s", ssh.persist_s, 0, 86400);
  reader.finish();
}

Json ssh_to_json(const Ssh& ssh) {
  return {{"config", ssh.config}, {"keepalive_s", ssh.keepalive_s}, {"persist_s", ssh.persist_s}};
}

void read_slurm(ObjectReader reader, Slurm& slurm) {
  reader.text("partition", slurm.partition);
  reader.text("account", slurm.account);
  reader.text("qos", slurm.qos);
  reader.text("reservation", slurm.reservation);
  reader.text("time", slurm.time);
  reader.text("container_image", slurm.container_image);
  read_mounts(reader, slurm.container_mounts);
  read_options(reader, "salloc_options", slurm.salloc_options);
  read_options(reader, "srun_options", slurm.srun_options);
  reader.finish();
}

Json slurm_to_json(const Slurm& slurm) {
  return {{"partition", slurm.partition},
          {"account", slurm.account},
          {"qos", slurm.qos},
          {"reservation", slurm.reservation},
          {"time", slurm.time},
          {"container_image", slurm.container_image},
          {"container_mounts", slurm.container_mounts},
          {"salloc_options", slurm.salloc_options},
          {"srun_options", slurm.srun_options}};
}

void read_timeouts(ObjectReader reader, Timeouts& timeouts) {
  reader.integer("connect_s", timeouts.connect_s, 1, 3600);
  reader.integer("agent_silence_s", timeouts.agent_silence_s, 2, 86400);
  reader.integer("rank_silence_s", timeouts.rank_silence_s, 2, 86400);
  reader.integer("stall_s", timeouts.stall_s, 2, 604800);
  reader.integer("queue_s", timeouts.queue_s, 1, 604800);
  reader.integer("stop_s", timeouts.stop_s, 1, 600);
  reader.integer("evidence_s", timeouts.evidence_s, 1, 60);
  reader.finish();
}

Result<Timeouts> parse_timeouts(const Json& json, const std::string& where) {
  Errors errors;
  Timeouts timeouts;
  read_timeouts(ObjectReader(json, where, "", errors), timeouts);
  if (!errors.empty()) return errors;
  return timeouts;
}

Json to_json(const Timeouts& timeouts) {
  return {{"connect_s", timeouts.connect_s},
          {"agent_silence_s", timeouts.agent_silence_s},
          {"rank_silence_s", timeouts.rank_silence_s},
          {"stall_s", timeouts.stall_s},
          {"queue_s", timeouts.queue_s},
          {"stop_s", timeouts.stop_s},
          {"evidence_s", timeouts.evidence_s}};
}

void read_rendezvous(ObjectReader reader, Rendezvous& rendezvous) {
  reader.text("host", rendezvous.host);
  reader.text("interface", rendezvous.interface);
  reader.choice("family", rendezvous.family, kFamilies);
  reader.integer("port", rendezvous.port, 0, 65535);
  if (!rendezvous.host.empty() && !rendezvous.interface.empty()) {
    reader.error("interface", "host and interface both say where the ranks meet", "keep one of them");
  }
  reader.finish();
}

Json rendezvous_to_json(const Rendezvous& rendezvous) {
  return {{"host", rendezvous.host},
          {"interface", rendezvous.interface},
          {"family", to_string(rendezvous.family)},
          {"port", rendezvous.port}};
}

}  // namespace sxb::config
