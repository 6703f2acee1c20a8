#include "style/layers.h"

#include <functional>
#include <sstream>
#include <stdexcept>

#include "style/source_text.h"

namespace sxb::style {
namespace fs = std::filesystem;
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

/// "src/plan/locate/trials.cpp" -> "plan/locate"
std::string room_of(const std::string& file) {
  const std::string folder = folder_of(file);
  const std::size_t slash = folder.find('/');
  return slash == std::string::npos ? "" : folder.substr(slash + 1);
}

/// The room of an included header; "" for one that is not ours.
std::string room_of_include(const fs::path& root, const std::string& from, const std::string& include) {
  for (const char* folder : {"src", "include"}) {
    if (fs::is_regular_file(root / folder / include)) return folder_of(include);
  }
  return fs::is_regular_file(root / folder_of(from) / include)
             ? room_of(fs::path(folder_of(from) + "/" + include).lexically_normal().string())
             : "";
}

std::vector<std::string> circle(const Layers& layers) {
  std::vector<std::string> path;
  std::set<std::string> done;
  std::function<bool(const std::string&)> leads_back = [&](const std::string& room) {
    if (done.count(room) != 0) return false;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (path[i] != room) continue;
      path.erase(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(i));
      path.push_back(room);
      return true;
    }
    path.push_back(room);
    const auto row = layers.find(room);
    if (row != layers.end()) {
      for (const std::string& next : row->second) {
        if (leads_back(next)) return true;
      }
    }
    path.pop_back();
    done.insert(room);
    return false;
  };
  for (const auto& [room, may] : layers) {
    if (leads_back(room)) return path;
  }
  return {};
}

}  // namespace

Layers parse_layers(const std::string& text) {
  Layers layers;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(0, line.find('#'));
    const std::size_t colon = line.find(':');
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (colon == std::string::npos) throw std::runtime_error("layers: no colon in: " + line);
    const std::string room = line.substr(0, colon);
    std::istringstream words(line.substr(colon + 1));
    if (layers.count(room) != 0) throw std::runtime_error("layers: two lines for " + room);
    std::set<std::string>& may = layers[room];
    for (std::string word; words >> word;) may.insert(word);
  }
  for (auto& [room, may] : layers) {
    const std::set<std::string> words = may;
    for (const std::string& word : words) {
      if (word.size() > 2 && word.compare(word.size() - 2, 2, "/*") == 0) {
        const std::string top = word.substr(0, word.size() - 2);
        may.erase(word);
        for (const auto& [other, unused] : layers) {
          if (other != room && (other == top || other.rfind(top + "/", 0) == 0)) may.insert(other);
        }
      } else if (layers.count(word) == 0) {
        throw std::runtime_error("layers: " + room + " may include " + word + ", which has no line");
      }
    }
  }
  return layers;
}

std::vector<std::string> broken_layers(const fs::path& root, const Layers& layers) {
  std::vector<std::string> broken;
  std::set<std::string> rooms;
  for (const char* folder : {"src", "include"}) {
    for (const std::string& file : files_below(root, folder, source_extensions())) {
      const std::string room = room_of(file);
      if (rooms.insert(room).second && layers.count(room) == 0) {
        broken.push_back("folder " + folder_of(file) + " has no line in tests/style/layers.txt");
      }
      const auto row = layers.find(room);
      if (row == layers.end()) continue;
      for (const Include& include : includes_of(read_text(root / file))) {
        const std::string other = room_of_include(root, file, include.name);
        if (other.empty() || other == room || row->second.count(other) != 0) continue;
        broken.push_back(file + ":" + std::to_string(include.line) + ": " + room + " may not include " +
                         include.name);
      }
    }
  }
  for (const auto& [room, may] : layers) {
    if (rooms.count(room) == 0)
      broken.push_back("tests/style/layers.txt has " + room + ", a folder without sources");
  }
  const std::vector<std::string> path = circle(layers);
  if (!path.empty()) {
    std::string text = "circle:";
    for (const std::string& room : path) text += " " + room;
    broken.push_back(text);
  }
  return broken;
}

}  // namespace sxb::style
