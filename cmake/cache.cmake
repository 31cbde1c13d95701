# Where `tools/dev setup` keeps what it fetched.
if(DEFINED ENV{SLUICE_CACHE})
  set(SLUICE_CACHE "$ENV{SLUICE_CACHE}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(SLUICE_CACHE "$ENV{XDG_CACHE_HOME}/sluice")
else()
  set(SLUICE_CACHE "$ENV{HOME}/.cache/sluice")
endif()
