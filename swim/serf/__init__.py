"""The Serf layer on the core: tags, intents, member status. Pure, like the core."""
