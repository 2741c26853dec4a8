-- After every migration, as the owner. The one table that rows are removed from: forms kept over a login, for thirty minutes.
GRANT DELETE ON kept_forms TO follow_up_app;
