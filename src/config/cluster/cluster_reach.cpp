// How the nodes are reached: groups, ssh, Slurm, rendezvous, waits.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "config/cluster/cluster_settings.h"

namespace sxb::config {
namespace {

constexpr EnumName<AddressFamily> kFamilies[] = {
    {AddressFamily::kAny, "any"}, {AddressFamily::kIpv4, "ipv4"}, {AddressFamily::kIpv6, "ipv6"}};

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

/// A list of options for a Slurm command; each is one argument, so nothing in it is split or expanded.
void options(Table<Slurm>& t, const char* key, std::vector<std::string> Slurm::*member, const char* help) {
  t.custom(
      key, {{"type", "array"}, {"items", {{"type", "string"}, {"pattern", "^--"}}}}, help,
      [=](ObjectReader& reader, Slurm& slurm) { read_options(reader, key, slurm.*member); },
      [=](const Slurm& slurm, Json& object) { object[key] = slurm.*member; }, {.values = "list of text"});
}

void check_meeting_place(ObjectReader& reader, const Rendezvous& rendezvous) {
  if (rendezvous.host.empty() || rendezvous.interface.empty()) return;
  reader.error("interface", "host and interface both say where the ranks meet", "keep one of them");
}

}  // namespace

std::string to_string(AddressFamily family) { return enum_name(kFamilies, family); }

Result<AddressFamily> parse_family(const std::string& text, const std::string& where) {
  std::vector<std::string> known;
  for (const EnumName<AddressFamily>& entry : kFamilies) {
    if (text == entry.name) return entry.value;
    known.emplace_back(entry.name);
  }
  return Error{fmt::format("unknown value \"{}\"", text), where, suggest(text, known)};
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

void describe_groups(Table<Cluster>& table) {
  table.custom(
      "groups",
      {{"type", "object"},
       {"propertyNames", {{"pattern", "^[A-Za-z0-9_.-]+$"}}},
       {"additionalProperties", {{"type", "string"}, {"minLength", 1}}}},
      "named node sets, written @name in a node set; @slurm is the allocation",
      [](ObjectReader&, Cluster&) {},
      [](const Cluster& cluster, Json& object) {
        Json& groups = object["groups"] = Json::object();
        for (const auto& [name, nodes] : cluster.groups)
          groups[name] = join(nodes, ",");  // keeps their order
      },
      {.values = "object of node sets"});
}

const Table<Ssh>& ssh_settings() {
  static const Table<Ssh> table = [] {
    Table<Ssh> t;
    t.text("config", &Ssh::config, "ssh_config file (ssh -F)", {.otherwise = "the user's"});
    t.integer("keepalive_s", &Ssh::keepalive_s, {1, 3600},
              "a connection is dead after three times this without an answer", {.unit = "s"});
    t.integer("persist_s", &Ssh::persist_s, {0, 86400},
              "how long an idle connection is kept for the next task; 0: one per command", {.unit = "s"});
    return t;
  }();
  return table;
}

const Table<Slurm>& slurm_settings() {
  static const Table<Slurm> table = [] {
    using S = Slurm;
    const Extra slurms = {.otherwise = "Slurm's"};
    Table<S> t;
    t.text("partition", &S::partition, "of the allocation", slurms);
    t.text("account", &S::account, "of the allocation", slurms);
    t.text("qos", &S::qos, "of the allocation", slurms);
    t.text("reservation", &S::reservation, "of the allocation", {.otherwise = "none"});
    t.text("time", &S::time, "limit of the allocation, as salloc --time takes it", slurms);
    t.text("container_image", &S::container_image, "Enroot image, srun --container-image of Pyxis");
    t.custom(
        "container_mounts",
        {{"type", "array"}, {"items", {{"type", "string"}, {"minLength", 1}, {"pattern", "^[^,]*$"}}}},
        "SRC:DST or SRC:DST:FLAGS, srun --container-mounts of Pyxis",
        [](ObjectReader& reader, S& slurm) { read_mounts(reader, slurm.container_mounts); },
        [](const S& slurm, Json& object) { object["container_mounts"] = slurm.container_mounts; },
        {.values = "list of text"});
    options(t, "salloc_options", &S::salloc_options, "passed to salloc, each one argument");
    options(t, "srun_options", &S::srun_options, "passed to srun, each one argument");
    return t;
  }();
  return table;
}

const Table<Timeouts>& timeouts_settings() {
  static const Table<Timeouts> table = [] {
    using T = Timeouts;
    Table<T> t;
    t.integer("connect_s", &T::connect_s, {1, 3600}, "wait for a connection to a node",
              {.unit = "s", .flag = "--connect-timeout"});
    t.integer("agent_silence_s", &T::agent_silence_s, {2, 86400},
              "no line from a node, not even the heartbeat that its agent sends every second", {.unit = "s"});
    t.integer("rank_silence_s", &T::rank_silence_s, {2, 86400},
              "no line from a rank, not even the heartbeat that it sends every second", {.unit = "s"});
    t.integer("stall_s", &T::stall_s, {2, 604800}, "no record of progress from any rank of a task",
              {.unit = "s"});
    t.integer("queue_s", &T::queue_s, {1, 604800}, "wait for the allocation that Slurm is asked for",
              {.unit = "s"});
    t.integer("stop_s", &T::stop_s, {1, 600}, "from asking a process to end to ending it by force",
              {.unit = "s"});
    t.integer("evidence_s", &T::evidence_s, {1, 60}, "wait for what NCCL RAS says of hanging ranks",
              {.unit = "s"});
    return t;
  }();
  return table;
}

const Table<Rendezvous>& rendezvous_settings() {
  static const Table<Rendezvous> table = [] {
    using R = Rendezvous;
    Table<R> t;
    t.text("host", &R::host, "address of the first node as the others see it", {.otherwise = "its host"});
    t.text("interface", &R::interface, "instead of host: the first node's address on this interface");
    t.choice("family", &R::family, kFamilies, "address family of the rendezvous");
    t.integer("port", &R::port, {0, 65535}, "0: a free port chosen per task");
    t.check(check_meeting_place);
    return t;
  }();
  return table;
}

}  // namespace sxb::config
