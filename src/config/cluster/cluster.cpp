#include "config/cluster/cluster.h"

#include "base/input_file.h"
#include "config/cluster/cluster_settings.h"

namespace sxb::config {

double Network::line_rate_gbps() const {
  double sum = 0;
  for (const Nic& nic : nics) sum += nic.line_rate_gbps;
  return sum;
}

Result<Cluster> parse_cluster(const Json& json, const std::string& where) {
  Errors errors;
  Cluster cluster;
  cluster.paths.results = kDefaultResults;
  cluster_settings().read(ObjectReader(json, where, "", errors), cluster);
  if (!errors.empty()) return errors;
  for (std::string* path :
       {&cluster.paths.program, &cluster.paths.results, &cluster.paths.data, &cluster.ssh.config}) {
    *path = expand_home(*path);
  }
  for (Node& node : cluster.nodes) node.ssh_key = expand_home(node.ssh_key);
  cluster.source = where;
  return cluster;
}

Json to_json(const Cluster& cluster) { return cluster_settings().write(cluster); }

Result<Timeouts> parse_timeouts(const Json& json, const std::string& where) {
  Errors errors;
  Timeouts timeouts;
  timeouts_settings().read(ObjectReader(json, where, "", errors), timeouts);
  if (!errors.empty()) return errors;
  return timeouts;
}

Json to_json(const Timeouts& timeouts) { return timeouts_settings().write(timeouts); }

}  // namespace sxb::config
